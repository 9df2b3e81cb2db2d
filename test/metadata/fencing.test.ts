import { randomUUID } from "node:crypto";
import test from "ava";
import type { Database } from "../../src/metadata/database.ts";
import { endExpiredSessions, rescueAttempts, revokeTimedOut } from "../../src/metadata/rescue.ts";
import { cancelRun, createRun } from "../../src/metadata/runs.ts";
import { queueDueRetries } from "../../src/metadata/timers.ts";
import {
  appendLog,
  type ClaimedTask,
  drainWorker,
  finishAndClaim,
  heartbeat,
  publishPermit,
  readLog,
  saveHandle,
  saveProgress,
} from "../../src/metadata/work.ts";
import { testDatabase } from "../support/database.ts";
import { dagSpec, deploy, FAILED, statesOf, success, type TaskGiven, work, worker } from "./fixtures.ts";

const ONE = { functions: 1, operators: 1 };
const NONE = { functions: 0, operators: 0 };

async function claimOne(db: Database, given: Partial<TaskGiven> = {}) {
  await deploy(
    db,
    dagSpec("d", [
      { id: "a", ...given },
      { id: "b", upstream: ["a"] },
    ]),
  );
  const run = await createRun(db, { dagId: "d", runId: "r", by: "test" });
  const workerId = await worker(db);
  const { claimed } = await finishAndClaim(db, workerId, [], ONE);
  return { workerId, task: claimed[0] as ClaimedTask, run };
}

async function loseWorker(db: Database, workerId: string): Promise<void> {
  await db.query("update worker set state = 'lost' where worker_id = $1", [workerId]);
  await rescueAttempts(db);
}

test("an outcome with another token changes nothing", async (t) => {
  const db = await testDatabase(t);
  const { workerId, task, run } = await claimOne(db);
  const reply = await finishAndClaim(
    db,
    workerId,
    [{ ...success(1), attemptId: task.attemptId, token: randomUUID() }],
    ONE,
  );
  t.deepEqual(reply.fenced, [task.attemptId]);
  t.is(reply.accepted.size, 0);
  t.deepEqual((await statesOf(db, run.id)).tasks, { a: "running", b: "none" });
});

test("an outcome with another token is not taken for a repeated one after the attempt has ended", async (t) => {
  const db = await testDatabase(t);
  const { workerId, task } = await claimOne(db);
  await finishAndClaim(db, workerId, [{ ...success(1), attemptId: task.attemptId, token: task.token }], NONE);
  const reply = await finishAndClaim(
    db,
    workerId,
    [{ ...success(1), attemptId: task.attemptId, token: randomUUID() }],
    NONE,
  );
  t.deepEqual([reply.fenced, reply.accepted.size], [[task.attemptId], 0]);
});

test("everything a rescued attempt still writes is refused", async (t) => {
  const db = await testDatabase(t);
  const { workerId, task, run } = await claimOne(db);
  await publishPermit(db, task);
  await loseWorker(db, workerId);
  await t.throwsAsync(publishPermit(db, task), { code: "FENCED" });
  await t.throwsAsync(saveHandle(db, task, { pid: 1 }), { code: "FENCED" });
  await t.throwsAsync(saveProgress(db, task, { step: "s", done: 1, total: 2 }), { code: "FENCED" });
  await t.throwsAsync(heartbeat(db, workerId), { code: "WORKER_ENDED" });
  const event = { dataset: "x", key: "k" };
  const outcome = {
    attemptId: task.attemptId,
    token: task.token,
    state: "success",
    value: 1,
    events: [event],
  } as const;
  const reply = await finishAndClaim(db, workerId, [outcome], ONE);
  t.deepEqual([reply.fenced, reply.claimed], [[task.attemptId], []]);
  t.deepEqual((await statesOf(db, run.id)).tasks, { a: "up_for_retry", b: "none" });
  const traces = await db.query("select (select count(*) from xcom) + (select count(*) from dataset_event) as n");
  t.is(Number(traces.rows[0]?.n), 0);
});

test("a lost worker does not cost a try, up to ten times", async (t) => {
  const db = await testDatabase(t);
  let { workerId } = await claimOne(db);
  for (let i = 0; i < 10; i++) {
    await loseWorker(db, workerId);
    await db.query("update task_instance set state = 'queued', wake_at = null where state = 'up_for_retry'");
    workerId = await worker(db);
    const { claimed } = await finishAndClaim(db, workerId, [], ONE);
    t.is(claimed[0]?.tryNumber, i + 2);
  }
  await loseWorker(db, workerId);
  const rows = await db.query("select state from task_instance order by task_index");
  t.deepEqual(rows.rows, [{ state: "failed" }, { state: "upstream_failed" }]);
});

test("an answer that was lost is asked for again: nothing twice, nothing missing", async (t) => {
  const db = await testDatabase(t);
  const { workerId, task, run } = await claimOne(db);
  const claim = { claimId: randomUUID(), repeated: false };
  const outcome = { attemptId: task.attemptId, token: task.token, ...success("v") };
  const first = await finishAndClaim(db, workerId, [outcome], ONE, claim);
  const second = await finishAndClaim(db, workerId, [outcome], ONE, { ...claim, repeated: true });
  t.deepEqual([...second.accepted], [task.attemptId]);
  t.deepEqual(second.claimed, first.claimed);
  t.is(second.claimed[0]?.taskId, "b");
  const counts = await db.query("select count(*)::int as n, max(try_number) as tries from task_attempt");
  t.deepEqual(counts.rows, [{ n: 2, tries: 1 }]);
  t.deepEqual((await statesOf(db, run.id)).tasks, { a: "success", b: "running" });
});

test("a worker that drains or whose session is over gets nothing", async (t) => {
  const db = await testDatabase(t);
  const { workerId, task } = await claimOne(db);
  await drainWorker(db, workerId);
  const reply = await finishAndClaim(
    db,
    workerId,
    [{ attemptId: task.attemptId, token: task.token, ...success() }],
    ONE,
  );
  t.is(reply.accepted.size, 1);
  t.deepEqual(reply.claimed, []);
});

test("a task handed back is queued again and nothing is counted", async (t) => {
  const db = await testDatabase(t);
  const { workerId, task } = await claimOne(db);
  const back = { ...FAILED, handBack: true, attemptId: task.attemptId, token: task.token } as const;
  await finishAndClaim(db, workerId, [back], NONE);
  const [again] = await work(db, () => FAILED);
  t.is(again?.taskId, "a");
  const row = await db.query(
    "select try_number - uncounted_tries as counted, infra_failures from task_instance where task_id = 'a'",
  );
  t.deepEqual(row.rows, [{ counted: 1, infra_failures: 0 }]);
});

test("a worker may publish only while its lease lasts four seconds more", async (t) => {
  const db = await testDatabase(t);
  const { task, workerId } = await claimOne(db);
  await db.query("update worker set lease_expires_at = now() + interval '3 s'");
  await t.throwsAsync(publishPermit(db, task), { code: "FENCED" });
  t.is((await heartbeat(db, workerId)).leaseMs, 20_000);
  await t.notThrowsAsync(publishPermit(db, task));
});

async function upSeconds(db: Database): Promise<number> {
  const up = await db.query<{ seconds: number }>(
    "select extract(epoch from clock_timestamp() - pg_postmaster_start_time())::float8 as seconds",
  );
  return up.rows[0]?.seconds ?? 0;
}

test("a lapsed session may renew until it is reaped, and is not reaped right after the server's start", async (t) => {
  const db = await testDatabase(t);
  const { workerId } = await claimOne(db);
  await db.query("update worker set lease_expires_at = now() - interval '1 s'");
  await t.notThrowsAsync(heartbeat(db, workerId));
  await db.query("update worker set lease_expires_at = now() - interval '1 s'");
  const upBefore = await upSeconds(db);
  const ended = await endExpiredSessions(db);
  // The shared server may be younger than a lease: then nobody is reaped.
  if (upBefore > 20) t.is(ended, 1);
  if ((await upSeconds(db)) < 20) t.is(ended, 0);
});

test("a cancelled run revokes what runs, skips what waits, and ends failed with the last attempt", async (t) => {
  const db = await testDatabase(t);
  const { workerId, task, run } = await claimOne(db);
  t.deepEqual(await cancelRun(db, "d", "r"), { running: 1 });
  t.deepEqual((await heartbeat(db, workerId)).revoked, [{ attemptId: task.attemptId, reason: "cancelled" }]);
  await t.throwsAsync(publishPermit(db, task), { code: "FENCED" });
  t.deepEqual(await statesOf(db, run.id), { run: "running", tasks: { a: "running", b: "skipped" } });
  const outcome = { ...FAILED, retry: "infra", attemptId: task.attemptId, token: task.token } as const;
  await finishAndClaim(db, workerId, [outcome], ONE);
  t.deepEqual(await statesOf(db, run.id), { run: "failed", tasks: { a: "failed", b: "skipped" } });
  await t.throwsAsync(cancelRun(db, "d", "r"), { code: "CONFLICT" });
});

test("an attempt past its deadline is revoked, and the timeout counts as a try", async (t) => {
  const db = await testDatabase(t);
  const { workerId, task, run } = await claimOne(db, { timeoutMs: 1000 });
  t.is(await revokeTimedOut(db), 0);
  await db.query("update task_attempt set deadline_at = now() - interval '1 minute'");
  t.is(await revokeTimedOut(db), 1);
  t.deepEqual((await heartbeat(db, workerId)).revoked, [{ attemptId: task.attemptId, reason: "timeout" }]);
  const outcome = { ...FAILED, retry: "infra", attemptId: task.attemptId, token: task.token } as const;
  await finishAndClaim(db, workerId, [outcome], ONE);
  t.is((await statesOf(db, run.id)).tasks.a, "failed");
});

test("tries that time out are counted also where their worker is lost with them", async (t) => {
  const db = await testDatabase(t);
  const retry = { retries: 1, delayMs: 0, factor: 1, maxMs: 0, jitter: "none" } as const;
  const { workerId, run } = await claimOne(db, { timeoutMs: 1000, retry });
  const loseTimedOut = async (id: string) => {
    await db.query("update task_attempt set deadline_at = now() - interval '1 minute' where state = 'running'");
    await revokeTimedOut(db);
    await loseWorker(db, id);
  };
  await loseTimedOut(workerId);
  t.is((await statesOf(db, run.id)).tasks.a, "up_for_retry");
  await queueDueRetries(db);
  const second = await worker(db);
  t.is((await finishAndClaim(db, second, [], ONE)).claimed.length, 1);
  await loseTimedOut(second);
  t.is((await statesOf(db, run.id)).tasks.a, "failed");
});

test("a sensor that times out ends as it is told to also where its worker is lost with it", async (t) => {
  const retry = { retries: 3, delayMs: 0, factor: 1, maxMs: 0, jitter: "none" } as const;
  for (const [onTimeout, end] of [
    ["skip", "skipped"],
    ["fail", "failed"],
  ] as const) {
    const db = await testDatabase(t);
    const sensor = { everyMs: 1_000, factor: 1, maxMs: 1_000, onTimeout };
    const { workerId, run } = await claimOne(db, { kind: "sensor", sensor, timeoutMs: 1000, retry });
    await db.query("update task_attempt set deadline_at = now() - interval '1 minute' where state = 'running'");
    await revokeTimedOut(db);
    await loseWorker(db, workerId);
    t.is((await statesOf(db, run.id)).tasks.a, end);
  }
});

test("a log is numbered, whole and in order, however often its chunks are sent", async (t) => {
  const db = await testDatabase(t);
  const { workerId, task } = await claimOne(db);
  const at = new Date().toISOString();
  const lines = Array.from({ length: 300 }, (_, i) => ({ at, level: "info" as const, text: `line ${i + 1} \u0000 é` }));
  const { attemptId, token } = task;
  const chunk = (from: number, to: number) => ({ attemptId, token, firstLine: from, lines: lines.slice(from - 1, to) });
  await appendLog(db, [chunk(1, 100), chunk(101, 101)]);
  await appendLog(db, [chunk(1, 100), chunk(102, 300)]);
  await appendLog(db, [{ ...chunk(1, 5), token: randomUUID(), firstLine: 301 }]);
  const page = await readLog(db, attemptId, 99, 5);
  t.deepEqual(
    page.lines.map(({ line, text }) => [line, text]),
    [99, 100, 101, 102, 103].map((n) => [n, `line ${n} \u0000 é`]),
  );
  t.deepEqual([page.nextLine, page.complete], [104, false]);
  await finishAndClaim(db, workerId, [{ attemptId, token, ...success() }], NONE);
  const rest = await readLog(db, attemptId, 104, 1000);
  t.deepEqual([rest.lines.length, rest.nextLine, rest.complete], [197, 301, true]);
});
