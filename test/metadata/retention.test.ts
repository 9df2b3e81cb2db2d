import { randomUUID } from "node:crypto";
import test from "ava";
import { clearTasks } from "../../src/metadata/clear.ts";
import type { Database } from "../../src/metadata/database.ts";
import { findViolations } from "../../src/metadata/invariants.ts";
import { holdLease } from "../../src/metadata/leases.ts";
import { previewPrune, prune, type RetentionPolicy, retentionPolicy } from "../../src/metadata/retention.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { appendLog } from "../../src/metadata/work.ts";
import { keepHouse } from "../../src/scheduler/housekeeping.ts";
import { testDatabase } from "../support/database.ts";
import { dagSpec, deploy, fileOf, success, work, worker } from "./fixtures.ts";

const DAY = 86_400_000;
const POLICY: RetentionPolicy = { runs: 90 * DAY, audit: 365 * DAY, lineage: 30 * DAY };

/** Runs a DAG `count` times to the end. Returns the runs' keys. */
async function history(db: Database, dagId: string, count: number, value: string = "v"): Promise<number[]> {
  const keys: number[] = [];
  for (let i = 0; i < count; i++) keys.push((await createRun(db, { dagId, by: "test" })).id);
  await work(db, () => success(value));
  return keys;
}

/** Moves everything of a run into the past. */
async function age(db: Database, keys: readonly number[], days: number): Promise<void> {
  const by = `interval '${days} days'`;
  await db.query(
    `update dag_run set queued_at = queued_at - ${by}, started_at = started_at - ${by}, ended_at = ended_at - ${by} where id = any ($1)`,
    [keys],
  );
}

async function count(db: Database, table: string, where = "true"): Promise<number> {
  const rows = await db.query<{ n: number }>(`select count(*)::int as n from ${table} where ${where}`);
  return rows.rows[0]?.n ?? -1;
}

test("ended runs older than their retention go with all that is theirs; younger and active ones stay", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }, { id: "b", upstream: ["a"] }]));
  const old = await history(db, "d", 3);
  const young = await history(db, "d", 2);
  const active = (await createRun(db, { dagId: "d", by: "test" })).id;
  await age(db, [...old, active], 100);
  const preview = await previewPrune(db, POLICY);
  t.is(preview.runs, 3);
  t.is(await count(db, "dag_run"), 6);
  const counts = await prune(db, POLICY);
  t.is(counts?.runs, 3);
  const left = await db.query<{ id: number }>("select id::int from dag_run order by id");
  t.deepEqual(
    left.rows.map(({ id }) => id),
    [...young, active].map(Number),
  );
  for (const table of ["task_attempt", "xcom", "task_instance"])
    t.is(
      await count(
        db,
        table,
        `${table === "xcom" ? "task_instance_id not in (select id from task_instance)" : "dag_run_id not in (select id from dag_run)"}`,
      ),
      0,
      table,
    );
  t.deepEqual(await findViolations(db), []);
});

test("a DAG's own retention wins, shorter and for ever; what it frees early goes row by row", async (t) => {
  const db = await testDatabase(t);
  await deploy(
    db,
    dagSpec("brief", [{ id: "a" }], { retentionMs: DAY }),
    dagSpec("eternal", [{ id: "a" }], { retentionMs: null }),
    dagSpec("usual", [{ id: "a" }]),
  );
  const keys = [await history(db, "brief", 1), await history(db, "eternal", 1), await history(db, "usual", 1)].flat();
  const [brief] = keys as [number, number, number];
  const attempts = await db.query<{ attempt_id: string; token: string; dag_run_id: string }>(
    "select * from task_attempt",
  );
  const at = new Date().toISOString();
  const lines = [{ at, level: "info" as const, text: "hello" }];
  await appendLog(
    db,
    attempts.rows.map(({ attempt_id, token }) => ({ attemptId: attempt_id, token, firstLine: 1, lines })),
  );
  await age(db, keys, 2);
  await prune(db, POLICY);
  t.is(await count(db, "dag_run", "dag_id = 'brief'"), 0);
  t.is(await count(db, "dag_run"), 2);
  t.is(await count(db, "task_event", `dag_run_id = ${brief}`), 0);
  t.is(await count(db, "log_chunk"), 2);
  await age(db, keys, 1000);
  await prune(db, POLICY);
  t.deepEqual((await db.query("select dag_id from dag_run")).rows, [{ dag_id: "eternal" }]);
});

test("a run that is cleared while it is looked at is not removed", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }]));
  const [key] = (await history(db, "d", 1)) as [number];
  await age(db, [key], 100);
  const runId = (await db.query<{ run_id: string }>("select run_id from dag_run")).rows[0]?.run_id as string;
  await db.transaction(async (sql) => {
    await sql.query("select from dag_run where id = $1 for no key update", [key]);
    t.is((await prune(db, POLICY))?.runs, 0);
  });
  await clearTasks(db, { dagId: "d", runId });
  t.is((await prune(db, POLICY))?.runs, 0);
  t.is(await count(db, "task_instance"), 1);
});

test("months of history are dropped whole, once no run that is left can have rows in them", async (t) => {
  const db = await testDatabase(t);
  await db.query("select add_partition('task_event', '2020-01-01', '2020-01-01 00:00Z', '2020-02-01 00:00Z')");
  await db.query(
    "select add_partition('log_chunk', '2020-01-01', uuid_at('2020-01-01 00:00Z')::text, uuid_at('2020-02-01 00:00Z')::text)",
  );
  await deploy(db, dagSpec("d", [{ id: "a" }]));
  const active = (await createRun(db, { dagId: "d", by: "test" })).id;
  await age(db, [active], 20 * 365);
  t.is((await prune(db, POLICY))?.partitions, 0);
  await age(db, [active], -20 * 365);
  t.is((await prune(db, { ...POLICY, runs: null }))?.partitions, undefined);
  t.is((await prune(db, POLICY))?.partitions, 2);
  t.is((await db.query("select to_regclass('task_event_2020_01') as found")).rows[0]?.found, null);
  t.is(await count(db, "pg_inherits", "inhparent = 'task_event'::regclass"), 3);
});

test("an event stays until every active consumer has had it and no run tells of it; chosen keys stay", async (t) => {
  const db = await testDatabase(t);
  await deploy(
    db,
    dagSpec("maker", [{ id: "a", emits: ["x"] }]),
    dagSpec("taker", [{ id: "a" }], {
      schedule: { kind: "datasets", condition: { dataset: "x" }, consume: "pending" },
    }),
  );
  await createRun(db, { dagId: "maker", by: "test" });
  await work(db, () => ({ state: "success", value: null, events: [{ dataset: "x" }, { dataset: "x", key: "mine" }] }));
  await db.query("update dataset_event set at = at - interval '100 days'");
  t.is((await prune(db, POLICY))?.dataset_events, 0);
  await db.query("update dataset_cursor set event_id = (select max(id) from dataset_event)");
  t.is((await prune(db, POLICY))?.dataset_events, 1);
  t.deepEqual((await db.query("select key from dataset_event")).rows, [{ key: "mine" }]);
  await createRun(db, { dagId: "maker", by: "test" });
  await work(db, () => ({ state: "success", value: null, events: [{ dataset: "x", key: "mine" }] }));
  t.is(await count(db, "dataset_event"), 1);
});

test("large values go when nothing uses them, and not while somebody takes them into use", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }]));
  const large = "x".repeat(70_000);
  const [key] = (await history(db, "d", 1, large)) as [number];
  t.is(await count(db, "xcom_blob"), 1);
  await db.query("update xcom_blob set used_at = now() - interval '1 day'");
  t.is((await prune(db, POLICY))?.xcom_blobs, 0);
  await age(db, [key], 100);
  await db.transaction(async (sql) => {
    await sql.query("update xcom_blob set used_at = now()");
    const pruning = prune(db, POLICY);
    await sql.query("select pg_sleep(0.2)");
    void pruning.catch(() => {});
    await sql.query("commit");
    await sql.query("begin");
    t.is((await pruning)?.xcom_blobs, 0);
  });
  await db.query("update xcom_blob set used_at = now() - interval '1 day'");
  t.is((await prune(db, POLICY))?.xcom_blobs, 1);
  // The same content comes back.
  await history(db, "d", 1, large);
  t.is(await count(db, "xcom_blob"), 1);
});

test("versions and bundles that nothing uses go; the present one and those of kept runs stay", async (t) => {
  const db = await testDatabase(t);
  const { storeVersions } = await import("../../src/metadata/versions.ts");
  for (const n of [1, 2, 3]) {
    await storeVersions(db, [fileOf("f.ts", [dagSpec("d", [{ id: `a${n}` }])], `export default ${n};`)]);
    if (n === 1) await createRun(db, { dagId: "d", by: "test" });
  }
  await db.query("update dag_version set created_at = now() - interval '100 days'");
  await db.query("update bundle set used_at = now() - interval '1 day'");
  const counts = await prune(db, POLICY);
  t.like(counts, { dag_versions: 1, bundles: 1 });
  t.deepEqual((await db.query("select number from dag_version order by number")).rows, [{ number: 1 }, { number: 3 }]);
});

test("sessions of workers, logins and old audit rows go; what is used or young stays", async (t) => {
  const db = await testDatabase(t);
  const [gone, live] = [await worker(db), await worker(db)];
  await db.query("update worker set state = 'ended', ended_at = now() - interval '100 days' where worker_id = $1", [
    gone,
  ]);
  await db.query("insert into access_user (name, role) values ('u', 'viewer')");
  await db.query(
    "insert into access_session values ('\\x01', 'u', now() - interval '9 days', now() - interval '2 days'), ('\\x02', 'u', now(), now() + interval '1 day')",
  );
  await db.query(
    "insert into audit_log (at, actor, action) values (now() - interval '400 days', 'a', 'old'), (now(), 'a', 'new')",
  );
  const counts = await prune(db, POLICY);
  t.like(counts, { workers: 1, sessions: 1, audit: 1 });
  t.deepEqual((await db.query("select worker_id from worker")).rows, [{ worker_id: live }]);
});

test("of five schedulers exactly one removes; another takes over when its lease has run out", async (t) => {
  const db = await testDatabase(t, { max: 12 });
  const holders = Array.from({ length: 5 }, () => randomUUID());
  const did = await Promise.all(holders.map((holder) => keepHouse(db, POLICY, { holder })));
  t.is(did.filter(Boolean).length, 1);
  await db.query(
    "update setting set value = jsonb_set(value, '{at}', to_jsonb(now() - interval '2 hours')) where key = 'retention'",
  );
  const leader = holders[did.indexOf(true)] as string;
  const other = holders.find((holder) => holder !== leader) as string;
  t.false(await keepHouse(db, POLICY, { holder: other }));
  await db.query("update leader_lease set expires_at = now() - interval '1 second'");
  t.true(await keepHouse(db, POLICY, { holder: other }));
  t.false(await holdLease(db, "retention", leader, 10));
});

test("settings are durations, or off; anything else is refused by name", (t) => {
  t.deepEqual(retentionPolicy({ runs: "P90D", audit: "off", lineage: "12h" }), {
    runs: 90 * DAY,
    audit: null,
    lineage: DAY / 2,
  });
  t.throws(() => retentionPolicy({ runs: "long", audit: "off", lineage: "off" }), {
    code: "CONFIG_INVALID",
    message: /QFLOW_RETENTION_RUNS/,
  });
});

test("more than one batch of everything goes in one round", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }]));
  await db.query(
    "insert into audit_log (at, actor, action) select now() - interval '400 days', 'a', 'b' from generate_series(1, 12000)",
  );
  const [key] = (await history(db, "d", 1)) as [number];
  await db.query(
    `insert into dag_run (dag_id, run_id, version_id, kind, state, triggered_by, ended_at, queued_at)
     select dag_id, 'r' || i, version_id, kind, 'success', 'test', now() - interval '100 days', now() - interval '100 days'
     from dag_run, generate_series(1, 450) i where id = $1`,
    [key],
  );
  const seen: string[] = [];
  const counts = await prune(db, POLICY, { onProgress: (step, n) => seen.push(`${step} ${n}`) });
  t.like(counts, { runs: 450, audit: 12_000 });
  t.true(seen.includes("audit 10000"));
  t.is(await count(db, "metric_counter", "name = 'retention_audit' and value = 12000"), 1);
});
