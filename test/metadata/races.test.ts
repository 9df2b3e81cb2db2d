import { randomUUID } from "node:crypto";
import test from "ava";
import type { Database, Sql } from "../../src/metadata/database.ts";
import { lockConsumer } from "../../src/metadata/dataset-runs.ts";
import { lockDueDags } from "../../src/metadata/due-dags.ts";
import { cancelRun, createRun, startRuns } from "../../src/metadata/runs.ts";
import { type AttemptOutcome, type ClaimedTask, finishAndClaim } from "../../src/metadata/work.ts";
import { createDatasetRuns } from "../../src/scheduler/dataset-runs.ts";
import { testDatabase } from "../support/database.ts";
import { dagSpec, deploy, statesOf, success, worker } from "./fixtures.ts";

const MANY = { functions: 9, operators: 9 };

/** The hot call inside a transaction that the test ends when it likes. */
async function callIn(
  sql: Sql,
  workerId: string,
  outcomes: AttemptOutcome[],
  functions: number,
): Promise<ClaimedTask[]> {
  const values = [workerId, JSON.stringify(outcomes), functions, 0, randomUUID(), false];
  const result = await sql.query("select finish_and_claim($1, $2, $3, $4, $5, $6) as reply", values);
  return result.rows[0]?.reply.claimed;
}

/** Does `first`, and before its commit starts `second`, which must be waiting for a lock (or be done) by then. */
async function interleave<T>(
  db: Database,
  first: (sql: Sql) => Promise<unknown>,
  second: () => Promise<T>,
): Promise<T> {
  let other: Promise<T> | undefined;
  await db.transaction(async (sql) => {
    await first(sql);
    let ended = false;
    other = second().finally(() => {
      ended = true;
    });
    other.catch(() => {});
    while (!ended && !(await isWaiting(db))) await new Promise(setImmediate);
  });
  return other as Promise<T>;
}

async function isWaiting(db: Database): Promise<boolean> {
  const result = await db.query(
    "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' limit 1",
  );
  return result.rowCount === 1;
}

function outcomeOf({ attemptId, token }: ClaimedTask, rest: object = success()): AttemptOutcome {
  return { attemptId, token, ...rest } as AttemptOutcome;
}

test("two claims at once see each other's use of a pool", async (t) => {
  const db = await testDatabase(t);
  // Of two DAGs: what one run has waiting is locked by whoever looks at it.
  await deploy(db, dagSpec("d", [{ id: "a", pool: "spark" }]), dagSpec("e", [{ id: "b", pool: "spark" }]));
  await createRun(db, { dagId: "d", by: "test" });
  await createRun(db, { dagId: "e", by: "test" });
  const [one, two] = [await worker(db), await worker(db)];
  const second = await interleave(
    db,
    (sql) => callIn(sql, one, [], 9),
    () => finishAndClaim(db, two, [], MANY),
  );
  t.deepEqual(second.claimed, []);
  const running = await db.query("select from task_instance where state = 'running'");
  t.is(running.rowCount, 1);
});

test("two upstreams that end at once are both counted", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }, { id: "b" }, { id: "c", upstream: ["a", "b"] }]));
  const run = await createRun(db, { dagId: "d", by: "test" });
  const workerId = await worker(db);
  const { claimed } = await finishAndClaim(db, workerId, [], MANY);
  const [a, b] = claimed as [ClaimedTask, ClaimedTask];
  const second = await interleave(
    db,
    (sql) => callIn(sql, workerId, [outcomeOf(a)], 0),
    () => finishAndClaim(db, workerId, [outcomeOf(b)], MANY),
  );
  t.deepEqual(
    second.claimed.map((task) => task.taskId),
    ["c"],
  );
  t.is((await statesOf(db, run.id)).run, "running");
});

test("an event that commits late is not overtaken by a later one, so no consumer misses it", async (t) => {
  const db = await testDatabase(t);
  const schedule = { kind: "datasets", condition: { dataset: "x" }, consume: "each" } as const;
  await deploy(
    db,
    dagSpec("p", [{ id: "a" }]),
    dagSpec("q", [{ id: "a" }]),
    dagSpec("consumer", [{ id: "take" }], { schedule }),
  );
  await createRun(db, { dagId: "p", by: "test" });
  await createRun(db, { dagId: "q", by: "test" });
  const workerId = await worker(db);
  const { claimed } = await finishAndClaim(db, workerId, [], MANY);
  const emitting = (task: ClaimedTask) =>
    outcomeOf(task, { ...success(), events: [{ dataset: "x", key: task.dagId, extra: { from: task.dagId } }] });
  const [p, q] = claimed as [ClaimedTask, ClaimedTask];
  await interleave(
    db,
    async (sql) => {
      await callIn(sql, workerId, [emitting(p)], 0);
    },
    async () => {
      await finishAndClaim(db, workerId, [emitting(q)], { functions: 0, operators: 0 });
      await createDatasetRuns(db);
    },
  );
  await createDatasetRuns(db);
  const runs = await db.query("select conf ->> 'from' as source from dag_run where dag_id = 'consumer' order by id");
  t.deepEqual(
    runs.rows.map((row) => row.source),
    ["p", "q"],
  );
});

test("a run cancelled while one of its tasks is being claimed revokes that attempt", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }]));
  await createRun(db, { dagId: "d", runId: "r", by: "test" });
  const workerId = await worker(db);
  const cancelled = await interleave(
    db,
    (sql) => callIn(sql, workerId, [], 1),
    () => cancelRun(db, "d", "r"),
  );
  t.deepEqual(cancelled, { running: 1 });
  t.is((await db.query("select from task_attempt where revoked = 'cancelled'")).rowCount, 1);
});

test("runs started at once stay within max_active_runs", async (t) => {
  const db = await testDatabase(t, { max: 12 });
  await deploy(db, dagSpec("d", [{ id: "a" }], { maxActiveRuns: 2 }));
  await Promise.all(Array.from({ length: 8 }, () => createRun(db, { dagId: "d", by: "test" })));
  t.is((await db.query("select from dag_run where state = 'running'")).rowCount, 2);
});

test("two schedulers that start runs at once see each other's", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }], { maxActiveRuns: 1 }));
  await db.query("update dag set paused = true");
  for (let i = 0; i < 2; i++) await createRun(db, { dagId: "d", by: "test" });
  await db.query("update dag set paused = false");
  await interleave(
    db,
    (sql) => startRuns(sql, "d"),
    () => startRuns(db, "d"),
  );
  t.is((await db.query("select from dag_run where state = 'running'")).rowCount, 1);
});

test("a DAG that one scheduler looks at is passed over by another", async (t) => {
  const db = await testDatabase(t);
  const clock = { kind: "cron", expression: "* * * * *", timezone: "UTC" } as const;
  const datasets = { kind: "datasets", condition: { dataset: "x" }, consume: "each" } as const;
  await deploy(
    db,
    dagSpec("ticks", [{ id: "a" }], { schedule: clock }),
    dagSpec("waits", [{ id: "a" }], { schedule: datasets }),
  );
  await db.transaction(async (sql) => {
    t.is((await lockDueDags(sql, 9)).length, 1);
    t.is((await lockConsumer(sql, "waits"))?.dagId, "waits");
    t.deepEqual(await lockDueDags(db, 9), []);
    t.is(await lockConsumer(db, "waits"), null);
  });
});
