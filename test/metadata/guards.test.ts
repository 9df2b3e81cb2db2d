/** What the guards named in `scripts/guard-table.ts` protect, where no other test does. */
import { randomUUID } from "node:crypto";
import test from "ava";
import { type Database, openDatabase, type Sql } from "../../src/metadata/database.ts";
import { hostId } from "../../src/metadata/host-identity.ts";
import { endExpiredSessions, rescueAttempts, revokeTimedOut } from "../../src/metadata/rescue.ts";
import { cancelRun, createRun, pauseDag } from "../../src/metadata/runs.ts";
import { queueDueRetries } from "../../src/metadata/timers.ts";
import {
  type ClaimedTask,
  finishAndClaim,
  publishPermit,
  registerWorker,
  saveHandle,
  saveProgress,
} from "../../src/metadata/work.ts";
import { identify } from "../../src/processes/table.ts";
import { LostWorkerSearch } from "../../src/scheduler/lost-workers.ts";
import { testDatabase } from "../support/database.ts";
import { dagSpec, deploy, FAILED, statesOf, success, type TaskGiven, worker } from "./fixtures.ts";

const ONE = { functions: 1, operators: 1 };
const NONE = { functions: 0, operators: 0 };

async function claimOne(db: Database, given: Partial<TaskGiven> = {}) {
  await deploy(db, dagSpec("d", [{ id: "a", ...given }]));
  const run = await createRun(db, { dagId: "d", runId: "r", by: "test" });
  const workerId = await worker(db);
  const { claimed } = await finishAndClaim(db, workerId, [], ONE);
  return { workerId, task: claimed[0] as ClaimedTask, run };
}

/** The same database, with a server that says it started at this time. */
async function startedAt(db: Database, start: string): Promise<Database> {
  await db.query(`create schema if not exists other; create or replace function other.pg_postmaster_start_time()
    returns timestamptz language sql as $$ select now() - interval '${start}' $$`);
  const url = new URL(db.url);
  url.searchParams.set("options", "-c search_path=other,public,pg_catalog");
  return openDatabase(url.href, { max: 2, applicationName: "test" });
}

/** Calls that would wait for `first` fail instead. */
async function besides<T>(
  db: Database,
  first: (sql: Sql) => Promise<unknown>,
  second: (sql: Sql) => Promise<T>,
): Promise<T> {
  return db.transaction(async (sql) => {
    await first(sql);
    return db.transaction(async (other) => {
      await other.query("set local lock_timeout = '1s'");
      return second(other);
    });
  });
}

test("an event of a known key is recorded once", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }, { id: "b" }]));
  await createRun(db, { dagId: "d", by: "test" });
  const workerId = await worker(db);
  const { claimed } = await finishAndClaim(db, workerId, [], { functions: 2, operators: 0 });
  for (const { attemptId, token } of claimed) {
    const outcome = { attemptId, token, ...success(), events: [{ dataset: "x", key: "same" }] };
    t.is((await finishAndClaim(db, workerId, [outcome as never], NONE)).accepted.size, 1);
  }
  t.is((await db.query("select from dataset_event")).rowCount, 1);
});

test("a run that ends while it is being cancelled has ended: the cancel is refused", async (t) => {
  const db = await testDatabase(t);
  const { workerId, task, run } = await claimOne(db);
  const outcomes = JSON.stringify([{ attemptId: task.attemptId, token: task.token, ...success() }]);
  let cancelled: Promise<unknown> | undefined;
  await db.transaction(async (sql) => {
    await sql.query("select finish_and_claim($1, $2, 0, 0, $3, false)", [workerId, outcomes, randomUUID()]);
    cancelled = cancelRun(db, "d", "r");
    cancelled.catch(() => {});
    const waits = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while ((await db.query(waits)).rowCount === 0) await new Promise(setImmediate);
  });
  await t.throwsAsync(cancelled as Promise<unknown>, { code: "CONFLICT" });
  t.is((await statesOf(db, run.id)).run, "success");
});

test("a paused DAG's run stays queued; a run id is taken once", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }]));
  await pauseDag(db, "d");
  const run = await createRun(db, { dagId: "d", runId: "r", by: "test" });
  t.is((await statesOf(db, run.id)).run, "queued");
  await t.throwsAsync(createRun(db, { dagId: "d", runId: "r", by: "test" }), { code: "CONFLICT" });
});

test("a session is ended when its lease has run out, and not within one lease of the server's start", async (t) => {
  const db = await testDatabase(t);
  const old = await startedAt(db, "1 hour");
  t.teardown(() => old.close());
  await worker(db);
  t.is(await endExpiredSessions(old), 0);
  await db.query("update worker set lease_expires_at = now() - interval '1 s'");
  const young = await startedAt(db, "5 s");
  t.is(await endExpiredSessions(young), 0);
  await young.close();
  await startedAt(db, "1 hour").then((again) => again.close());
  t.is(await endExpiredSessions(old), 1);
});

test("only work of sessions that are over is given to others", async (t) => {
  const db = await testDatabase(t);
  await claimOne(db);
  t.is((await rescueAttempts(db)).rescued, 0);
  await db.query("update worker set state = 'lost'");
  t.is((await rescueAttempts(db)).rescued, 1);
});

test("an attempt that is cancelled already does not time out", async (t) => {
  const db = await testDatabase(t);
  await claimOne(db, { timeoutMs: 1000 });
  await cancelRun(db, "d", "r");
  await db.query("update task_attempt set deadline_at = now() - interval '1 minute'");
  t.is(await revokeTimedOut(db), 0);
});

test("what an attempt writes is refused under another token", async (t) => {
  const db = await testDatabase(t);
  const { task } = await claimOne(db);
  const other = { attemptId: task.attemptId, token: randomUUID() };
  await t.throwsAsync(saveHandle(db, other, {}), { code: "FENCED" });
  await t.throwsAsync(saveProgress(db, other, { step: "s", done: 0, total: null }), { code: "FENCED" });
  await t.throwsAsync(publishPermit(db, other), { code: "FENCED" });
  await t.notThrowsAsync(publishPermit(db, task));
});

test("neither an ended attempt nor one of an ended session may publish", async (t) => {
  const db = await testDatabase(t);
  const { task, workerId } = await claimOne(db);
  await db.query("update worker set state = 'lost'");
  await t.throwsAsync(publishPermit(db, task), { code: "FENCED" });
  await db.query("update worker set state = 'active'");
  await finishAndClaim(db, workerId, [{ attemptId: task.attemptId, token: task.token, ...success() }], NONE);
  await t.throwsAsync(publishPermit(db, task), { code: "FENCED" });
});

test("two schedulers share due retries and due waits without waiting for each other", async (t) => {
  const db = await testDatabase(t);
  const retry = { retries: 1, delayMs: 0, factor: 1, maxMs: 0, jitter: "none" } as const;
  const { task, workerId } = await claimOne(db, { retry });
  await finishAndClaim(db, workerId, [{ attemptId: task.attemptId, token: task.token, ...FAILED }], NONE);
  const queued = await besides(db, queueDueRetries, queueDueRetries);
  t.is(queued, 0);
  await db.query(`insert into task_wait (task_instance_id, attempt_id, kind, wake_at, deadline)
    select id, attempt_id, 'time_sensor', now(), now() from task_instance`);
  const lease = (sql: Sql) =>
    sql
      .query<{ leased: unknown[] }>("select lease_waits(10, 5, '{}', 30) as leased")
      .then(({ rows }) => rows[0]?.leased);
  t.deepEqual(await besides(db, lease, lease), []);
});

test("partitions are made once, whoever makes them", async (t) => {
  const db = await testDatabase(t);
  const found = await db.query<{ name: string }>(
    "select relname as name from pg_class where relname ~ '^task_event_[0-9_]+$' order by relname desc limit 1",
  );
  await db.query(`drop table ${found.rows[0]?.name}`);
  let second: Promise<unknown> | undefined;
  await db.transaction(async (sql) => {
    await sql.query("select ensure_partitions()");
    second = db.query("select ensure_partitions()");
    second.catch(() => {});
    const waits = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while ((await db.query(waits)).rowCount === 0) await new Promise(setImmediate);
  });
  await t.notThrowsAsync(second as Promise<unknown>);
});

test("a transaction whose COMMIT rolled back is not taken for a success", async (t) => {
  const db = await testDatabase(t);
  const swallowing = db.transaction(async (sql) => {
    await sql.query("select 1 / 0").catch(() => {});
  });
  await t.throwsAsync(swallowing, { message: /ROLLBACK/ });
});

test("a scheduler that was held up gives workers the time to renew; a session whose process lives is not ended", async (t) => {
  const db = await testDatabase(t);
  const old = await startedAt(db, "1 hour");
  t.teardown(() => old.close());
  const search = new LostWorkerSearch(await hostId());
  const here = await identify(process.pid);
  const marker = randomUUID();
  await registerWorker(db, {
    hostId: await hostId(),
    pid: process.pid,
    pidStartedAt: String(here?.startedAt),
    marker,
  } as never);
  const active = async () => (await db.query("select from worker where state = 'active'")).rowCount;
  await search.look(old, 0);
  t.is(await active(), 1);
  await db.query("update worker set lease_expires_at = now() - interval '1 s'");
  await search.look(old, 15_000);
  t.is(await active(), 1);
  for (const now of [20_000, 25_000, 30_000]) await search.look(old, now);
  t.is(await active(), 1);
  await search.look(old, 36_000);
  t.is(await active(), 0);
});
