import test from "ava";
import type { SensorSpec } from "../../src/dag/spec.ts";
import { clearTasks } from "../../src/metadata/clear.ts";
import type { Database } from "../../src/metadata/database.ts";
import { cancelRun, createRun } from "../../src/metadata/runs.ts";
import {
  admitWaits,
  dueWaits,
  finishWaits,
  type LeasedWait,
  lateSensors,
  leaseWaits,
  queuePokes,
  rearmWaits,
  type WaitOutcome,
} from "../../src/metadata/waits.ts";
import { appendLog, finishAndClaim, readLog } from "../../src/metadata/work.ts";
import { testDatabase } from "../support/database.ts";
import { dagSpec, deploy, type Ending, FAILED, statesOf, success, type TaskGiven, work, worker } from "./fixtures.ts";

const PACE: SensorSpec = { everyMs: 60_000, factor: 1, maxMs: 60_000, onTimeout: "fail" };
const NOT_YET: Ending = { state: "up_for_reschedule" };
const HOUR_MS = 3_600_000;

function poked(given: Partial<TaskGiven> = {}): TaskGiven {
  return { id: "wait", kind: "sensor", sensor: PACE, timeoutMs: HOUR_MS, ...given };
}

function declared(name: string, given: Partial<TaskGiven> = {}): TaskGiven {
  return poked({ operator: { name, config: { on: "x" } }, ...given });
}

async function start(db: Database, ...tasks: TaskGiven[]) {
  await deploy(db, dagSpec("d", tasks));
  return createRun(db, { dagId: "d", by: "test" });
}

async function lease(db: Database, limit = 100, share = 100): Promise<LeasedWait[]> {
  return leaseWaits(db, limit, { share, busy: new Map() });
}

async function leaseOne(db: Database): Promise<LeasedWait> {
  const [wait] = await lease(db);
  if (!wait) throw new Error("nothing is due");
  return wait;
}

function unmet(wait: LeasedWait, wakeInMs: number | null = 60_000, key: string | null = null) {
  return {
    ...wait,
    condition: { on: "x" },
    key,
    resource: null,
    wakeInMs,
    wakeAt: null,
    note: "not there",
    checked: true,
  };
}

function met(wait: LeasedWait): WaitOutcome {
  return { attemptId: wait.attemptId, token: wait.token, state: "success", value: { found: true } };
}

async function due(db: Database): Promise<void> {
  await db.query("update task_instance set wake_at = now() where state = 'up_for_reschedule'");
  await db.query("update task_wait set wake_at = now()");
}

test("a sensor that is not met waits without a slot, and goes on in the same try under a new token", async (t) => {
  const db = await testDatabase(t);
  const run = await start(db, poked(), { id: "after", upstream: ["wait"] });
  const [first] = await work(db, () => NOT_YET);
  t.deepEqual((await statesOf(db, run.id)).tasks, { wait: "up_for_reschedule", after: "none" });
  await appendLog(db, [
    { attemptId: first?.attemptId ?? "", token: first?.token ?? "", firstLine: 1, lines: [line("one"), line("two")] },
  ]);
  t.false((await readLog(db, first?.attemptId ?? "", 1, 10)).complete);
  t.is(await queuePokes(db), 0);
  t.true(((await dueWaits(db)).nextInMs ?? 0) > 20_000);
  await due(db);
  t.is(await queuePokes(db), 1);
  const [again] = await work(db, (task) => (task.taskId === "wait" ? success(7) : success()));
  t.is(again?.attemptId, first?.attemptId);
  t.not(again?.token, first?.token);
  t.is(again?.tryNumber, 1);
  t.is(again?.firstLogLine, 3);
  t.true((again?.timeoutMs ?? 0) <= HOUR_MS && (again?.timeoutMs ?? 0) > HOUR_MS - 60_000);
  t.deepEqual(await statesOf(db, run.id), { run: "success", tasks: { wait: "success", after: "success" } });
  const attempts = await db.query("select state, polls from task_attempt where task_instance_id = $1", [
    first?.taskInstanceId,
  ]);
  t.deepEqual(attempts.rows, [{ state: "success", polls: 1 }]);
});

test("the pace grows where the sensor says so, up to its most, and never beyond the deadline", async (t) => {
  const db = await testDatabase(t);
  await start(db, poked({ sensor: { everyMs: 10_000, factor: 3, maxMs: 50_000, onTimeout: "fail" } }));
  const delays: number[] = [];
  for (let i = 0; i < 4; i++) {
    if (i === 3) await db.query("update task_attempt set deadline_at = now() + interval '20 s'");
    await work(db, () => NOT_YET);
    delays.push(((await dueWaits(db)).nextInMs ?? 0) / 1000);
    await due(db);
    await queuePokes(db);
  }
  // What is left when it is asked, on a machine that may be slow.
  for (const [i, most] of [10, 30, 50, 20].entries()) {
    t.true((delays[i] ?? 0) <= most && (delays[i] ?? 0) > most - 8, `${delays[i]} of ${most}`);
  }
});

test("the outcome of a call that was recorded, told again after the next call began, is known and changes nothing", async (t) => {
  const db = await testDatabase(t);
  const run = await start(db, poked());
  const workerId = await worker(db);
  const room = { functions: 4, operators: 4 };
  const [first] = (await finishAndClaim(db, workerId, [], room)).claimed;
  const told = { attemptId: first?.attemptId ?? "", token: first?.token ?? "", ...NOT_YET };
  await finishAndClaim(db, workerId, [told], { functions: 0, operators: 0 });
  t.deepEqual((await finishAndClaim(db, workerId, [told], { functions: 0, operators: 0 })).fenced, []);
  const polls = await db.query("select polls from task_attempt");
  t.is(polls.rows[0]?.polls, 1);
  await due(db);
  await queuePokes(db);
  t.is((await finishAndClaim(db, workerId, [], room)).claimed.length, 1);
  t.deepEqual((await finishAndClaim(db, workerId, [told], { functions: 0, operators: 0 })).fenced, []);
  t.is((await statesOf(db, run.id)).tasks.wait, "running");
});

test("a call that fails is a failed try like any other; the next try is another attempt", async (t) => {
  const db = await testDatabase(t);
  const run = await start(db, poked({ retry: { retries: 1, delayMs: 0, factor: 1, maxMs: 0, jitter: "none" } }));
  await work(db, () => NOT_YET);
  await due(db);
  await queuePokes(db);
  await work(db, () => FAILED);
  t.is((await statesOf(db, run.id)).tasks.wait, "up_for_retry");
  await db.query("update task_instance set state = 'queued' where state = 'up_for_retry'");
  const [second] = await work(db, () => success());
  t.is(second?.tryNumber, 2);
  t.is(second?.firstLogLine, 1);
});

test("a sensor past its deadline is not called again: the scheduler ends it", async (t) => {
  const db = await testDatabase(t);
  const run = await start(db, poked(), { id: "after", upstream: ["wait"] });
  await work(db, () => NOT_YET);
  await db.query("update task_attempt set deadline_at = now()");
  t.deepEqual(await lateSensors(db), []);
  await due(db);
  t.is(await queuePokes(db), 0);
  const [late] = await lateSensors(db);
  const { attemptId = "", token = "" } = late ?? {};
  const outcome: WaitOutcome = { attemptId, token, state: "failed", retry: "fatal", error: timeout() };
  t.deepEqual(await finishWaits(db, [outcome]), [attemptId]);
  t.deepEqual(await finishWaits(db, [outcome]), []);
  t.deepEqual(await statesOf(db, run.id), { run: "failed", tasks: { wait: "failed", after: "upstream_failed" } });
});

test("a declared sensor begins to wait without a worker, with a try of its own", async (t) => {
  const db = await testDatabase(t);
  const run = await start(db, declared("some_sensor"), { id: "after", upstream: ["wait"] });
  t.deepEqual(await work(db, () => FAILED), []);
  t.is(await admitWaits(db), 1);
  t.is(await admitWaits(db), 0);
  t.is((await statesOf(db, run.id)).tasks.wait, "deferred");
  const wait = await leaseOne(db);
  t.is(wait.kind, "some_sensor");
  t.deepEqual(wait.given?.config, { on: "x" });
  t.deepEqual(await lease(db), []);
  await rearmWaits(db, [unmet(wait)]);
  await due(db);
  const again = await leaseOne(db);
  t.like(again, { condition: { on: "x" }, note: "not there", polls: 1, given: null, late: false });
  t.deepEqual(await finishWaits(db, [met(again)]), [again.attemptId]);
  const [after] = await work(db, () => success());
  t.is(after?.taskId, "after");
  t.is((await statesOf(db, run.id)).run, "success");
  t.is((await db.query("select from task_wait")).rowCount, 0);
  const kept = await db.query(
    "select x.value, t.try_number from xcom x join task_instance t on t.id = x.task_instance_id",
  );
  t.deepEqual(kept.rows, [{ value: { found: true }, try_number: 1 }]);
  const moves = await db.query(
    "select from_state || '>' || to_state as move from task_event where task_instance_id = $1 order by at",
    [wait.taskInstanceId],
  );
  t.deepEqual(
    moves.rows.map((row) => row.move),
    ["none>queued", "queued>deferred", "deferred>success"],
  );
});

test("a lease that ran out may be taken by another, and the answer of the first is not kept", async (t) => {
  const db = await testDatabase(t);
  await start(db, declared("some_sensor"));
  await admitWaits(db);
  const first = await leaseOne(db);
  await due(db);
  const second = await leaseOne(db);
  await rearmWaits(db, [{ ...unmet(first), note: "stale" }]);
  await rearmWaits(db, [{ ...unmet(second), note: "fresh" }]);
  t.is((await db.query("select note from task_wait")).rows[0]?.note, "fresh");
});

test("of one resource only its share is leased; others are not held up", async (t) => {
  const db = await testDatabase(t);
  const ids = ["a", "b", "c", "d"];
  await start(db, ...ids.map((id) => declared("some_sensor", { id })), declared("some_sensor", { id: "other" }));
  await admitWaits(db);
  const all = await lease(db);
  const last = Math.max(...all.map((wait) => wait.taskInstanceId));
  await rearmWaits(
    db,
    all.map((wait) => ({ ...unmet(wait), resource: wait.taskInstanceId === last ? "fast" : "slow" })),
  );
  await due(db);
  await db.query("update task_wait set wake_at = now() - interval '1 h' where resource = 'slow'");
  const taken = await leaseWaits(db, 3, { share: 2, busy: new Map([["slow", 1]]) });
  t.deepEqual(
    taken.map((wait) => wait.resource),
    ["slow"],
  );
  const next = await leaseWaits(db, 3, { share: 2, busy: new Map([["slow", 2]]) });
  t.deepEqual(
    next.map((wait) => wait.resource),
    ["fast"],
  );
  t.deepEqual(await leaseWaits(db, 3, { share: 2, busy: new Map([["slow", 2]]) }), []);
});

test("an event of a dataset wakes the waits for it, also one that is being checked", async (t) => {
  const db = await testDatabase(t);
  await start(
    db,
    declared("dataset_sensor", { id: "asleep" }),
    declared("dataset_sensor", { id: "checked" }),
    declared("dataset_sensor", { id: "other" }),
  );
  await admitWaits(db);
  const all = await lease(db);
  t.is(all.length, 3);
  const [asleep, checked, other] = all as [LeasedWait, LeasedWait, LeasedWait];
  await rearmWaits(db, [
    unmet(asleep, null, "lake.orders"),
    unmet(checked, 0, "lake.orders"),
    unmet(other, null, "lake.stock"),
  ]);
  const [looking] = (await lease(db)) as [LeasedWait];
  t.is(looking.taskInstanceId, checked.taskInstanceId);
  await db.query("insert into dataset_event (dataset, key) values ('lake.orders', 'k')");
  // Looked before the event was there, says so after: the event must not be slept through.
  await rearmWaits(db, [unmet(looking, null, "lake.orders")]);
  const woken = (await lease(db)).map((wait) => wait.taskInstanceId);
  t.deepEqual(woken.sort(), [asleep.taskInstanceId, checked.taskInstanceId].sort());
});

for (const kind of ["deferred", "up_for_reschedule"] as const) {
  test(`a run that waits (${kind}) can be cancelled, and its wait is over`, async (t) => {
    const db = await testDatabase(t);
    const run = await start(db, kind === "deferred" ? declared("some_sensor") : poked());
    await work(db, () => NOT_YET);
    await admitWaits(db);
    t.is((await statesOf(db, run.id)).tasks.wait, kind);
    const leased = await lease(db);
    await cancelRun(db, "d", run.runId);
    t.deepEqual(await statesOf(db, run.id), { run: "failed", tasks: { wait: "skipped" } });
    const left = await db.query(
      "select a.state, a.ended_at is not null as ended, (select count(*) from task_wait)::int as waits from task_attempt a",
    );
    t.deepEqual(left.rows, [{ state: "skipped", ended: true, waits: 0 }]);
    for (const wait of leased) t.deepEqual(await finishWaits(db, [met(wait)]), []);
  });

  test(`a task that waits (${kind}) can be cleared: it begins anew, in another try`, async (t) => {
    const db = await testDatabase(t);
    const run = await start(db, kind === "deferred" ? declared("some_sensor") : poked());
    await work(db, () => NOT_YET);
    await admitWaits(db);
    const leased = await lease(db);
    await clearTasks(db, { dagId: "d", runId: run.runId, unended: "cancel" });
    t.is((await statesOf(db, run.id)).tasks.wait, "queued");
    for (const wait of leased) t.deepEqual(await finishWaits(db, [met(wait)]), []);
    await work(db, () => NOT_YET);
    await admitWaits(db);
    t.is((await statesOf(db, run.id)).tasks.wait, kind);
    const tries = await db.query("select try_number, state from task_attempt order by try_number");
    t.deepEqual(tries.rows, [
      { try_number: 1, state: "skipped" },
      { try_number: 2, state: kind },
    ]);
  });
}

test("a sensor's function that says not yet while its run is cancelled ends with it", async (t) => {
  const db = await testDatabase(t);
  const run = await start(db, poked());
  const workerId = await worker(db);
  const [task] = (await finishAndClaim(db, workerId, [], { functions: 1, operators: 1 })).claimed;
  await cancelRun(db, "d", run.runId);
  const told = { attemptId: task?.attemptId ?? "", token: task?.token ?? "", ...NOT_YET };
  await finishAndClaim(db, workerId, [told], { functions: 0, operators: 0 });
  t.deepEqual(await statesOf(db, run.id), { run: "failed", tasks: { wait: "failed" } });
  t.is((await db.query("select state from task_attempt")).rows[0]?.state, "failed");
});

function line(text: string) {
  return { at: "2026-01-01T00:00:00.000Z", level: "info" as const, text };
}

function timeout() {
  return { code: "SENSOR_TIMEOUT", message: "it did not come", remedy: "-" };
}
