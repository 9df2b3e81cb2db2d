/** What is written into the outbox, by whatever makes it happen. */
import test from "ava";
import { clearTasks } from "../../src/metadata/clear.ts";
import type { Database } from "../../src/metadata/database.ts";
import { fireDeadlines } from "../../src/metadata/deadlines.ts";
import { dueWork } from "../../src/metadata/due-work.ts";
import { cancelTask, markTasks } from "../../src/metadata/mark.ts";
import {
  ATTEMPT_LIMIT,
  leaseNotifications,
  listNotifications,
  retryNotifications,
  settleFailed,
  settleSent,
} from "../../src/metadata/notifications.ts";
import { createRun, pauseDag } from "../../src/metadata/runs.ts";
import { queueDueRetries } from "../../src/metadata/timers.ts";
import { storeVersions } from "../../src/metadata/versions.ts";
import { finishAndClaim } from "../../src/metadata/work.ts";
import { Look } from "../../src/scheduler/scheduler.ts";
import { dagSpec, deploy, FAILED, fileOf, success, type TaskGiven, work, worker } from "../metadata/fixtures.ts";
import { testDatabase } from "../support/database.ts";

const ALL = [
  {
    on: ["runFailed", "runSucceeded", "taskFailed", "taskRetry", "deadlineMissed", "importError"] as const,
    to: ["ops"],
  },
].map(({ on, to }) => ({ on: [...on], to }));
const RETRY = { retries: 1, delayMs: 0, factor: 1, maxMs: 0, jitter: "none" } as const;

async function started(db: Database, tasks: readonly TaskGiven[], given: object = {}): Promise<void> {
  await deploy(db, dagSpec("d", tasks, { notify: ALL, ...given }));
  await createRun(db, { dagId: "d", runId: "r", by: "test" });
}

/** Event, task and channel of everything in the outbox, oldest first. */
async function outbox(db: Database): Promise<string[]> {
  const { rows } = await listNotifications(db, {}, { limit: 100, offset: 0 });
  return rows.reverse().map(({ event, payload, channel }) => {
    const item = typeof payload.map_index === "number" && payload.map_index >= 0 ? `[${payload.map_index}]` : "";
    return `${event}${payload.task_id === undefined ? "" : ` ${payload.task_id}${item}`} → ${channel}`;
  });
}

test("a retry, a final failure and the end of the run are told, each once, with why", async (t) => {
  const db = await testDatabase(t);
  await started(db, [
    { id: "a", retry: RETRY },
    { id: "b", upstream: ["a"] },
  ]);
  await work(db, () => FAILED);
  t.deepEqual(await outbox(db), ["taskRetry a → ops"]);
  await queueDueRetries(db);
  await work(db, () => FAILED);
  t.deepEqual(await outbox(db), ["taskRetry a → ops", "taskFailed a → ops", "runFailed → ops"]);
  const { rows } = await listNotifications(db, {}, { limit: 2, offset: 0 });
  const [run, task] = rows.map(({ payload }) => payload);
  t.like(run, { dag_id: "d", run_id: "r", run_state: "failed", failed_tasks: ["a"], cancelled: false });
  t.like(task, { task_id: "a", try_number: 2, state: "failed", error: { code: "TASK_FAILED", message: "no" } });
  await clearTasks(db, { dagId: "d", runId: "r" });
  await work(db, () => success());
  t.deepEqual((await outbox(db)).slice(3), ["runSucceeded → ops"]);
});

test("what is rolled back is not told, and nobody is told of what no rule names", async (t) => {
  const db = await testDatabase(t);
  await started(db, [{ id: "a" }], { notify: [{ on: ["runFailed"], to: ["ops", "boss"] }] });
  const undone = db.transaction(async (sql) => {
    await sql.query("update dag_run set state = 'failed', ended_at = now()");
    t.is((await sql.query("select from notification")).rowCount, 2);
    throw new Error("undone");
  });
  await t.throwsAsync(undone, { message: "undone" });
  t.deepEqual(await outbox(db), []);
  await work(db, () => FAILED);
  t.deepEqual((await outbox(db)).sort(), ["runFailed → boss", "runFailed → ops"]);
});

test("of a map's items the first failure of a try is told; what people cancel or clear is not", async (t) => {
  const db = await testDatabase(t);
  await started(db, [{ id: "list" }, { id: "each", kind: "map", mapOver: "list", upstream: ["list"] }, { id: "x" }]);
  const workerId = await worker(db);
  const { claimed } = await finishAndClaim(db, workerId, [], { functions: 9, operators: 9 });
  await cancelTask(db, { dagId: "d", runId: "r" }, { taskId: "x" });
  await clearTasks(db, { dagId: "d", runId: "r", tasks: [{ taskId: "list" }], unended: "cancel" });
  t.is(claimed.length, 2);
  t.deepEqual(await outbox(db), []);
  await work(db, (task) => (task.taskId === "list" ? success([1, 2, 3]) : FAILED));
  t.deepEqual(await outbox(db), ["taskFailed each[0] → ops"]);
  await markTasks(db, { dagId: "d", runId: "r", tasks: [{ taskId: "x" }, { taskId: "each" }], state: "success" });
  t.deepEqual((await outbox(db)).slice(1), ["runSucceeded → ops"]);
});

test("an import error is told to those of the DAGs the file held, once", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }], { notify: ALL }), dagSpec("quiet", [{ id: "a" }]));
  const broken = (message: string) => ({
    file: "dags/test.ts",
    error: { code: "DAG_INVALID", message, remedy: "-", line: 3, column: 1 },
  });
  await storeVersions(db, [broken("no")]);
  await storeVersions(db, [broken("no")]);
  t.deepEqual(await outbox(db), ["importError → ops"]);
  await storeVersions(db, [broken("still no")]);
  t.is((await outbox(db)).length, 2);
  await storeVersions(db, [fileOf("dags/test.ts", [dagSpec("d", [{ id: "a" }])])]);
  await storeVersions(db, [broken("no")]);
  t.is((await outbox(db)).length, 2, "its newest version names nobody");
});

const LATE = { afterMs: 60_000, notify: ["boss"] };

/** Lets an hour pass for every deadline. */
async function later(db: Database): Promise<void> {
  await db.query("update deadline set due_at = due_at - interval '1 hour'");
}

async function deadlines(db: Database): Promise<number> {
  return (await db.query("select from deadline where fired_at is null")).rowCount ?? 0;
}

test("a missed deadline of a run or a task is told once, whoever looks; one that is met is gone", async (t) => {
  const db = await testDatabase(t);
  const deadline = { ...LATE, from: "runStart" as const };
  await started(
    db,
    [
      { id: "a", deadline },
      { id: "b", upstream: ["a"], deadline },
    ],
    { deadline },
  );
  t.is(await deadlines(db), 3);
  t.is(await fireDeadlines(db), 0);
  const { nextInMs } = await dueWork(db, "host");
  t.true((nextInMs ?? 0) > 50_000 && (nextInMs ?? 0) <= 60_000, `${nextInMs}`);
  const workerId = await worker(db);
  const [a] = (await finishAndClaim(db, workerId, [], { functions: 1, operators: 0 })).claimed;
  const outcome = { attemptId: a?.attemptId as string, token: a?.token as string, ...success() };
  await finishAndClaim(db, workerId, [outcome], { functions: 0, operators: 0 });
  t.is(await deadlines(db), 2, "a has met its own");
  await later(db);
  await Promise.all([1, 2, 3].map(() => new Look(db, "host").once()));
  const late = ["deadlineMissed b → boss", "deadlineMissed b → ops", "deadlineMissed → boss", "deadlineMissed → ops"];
  t.deepEqual((await outbox(db)).sort(), late.sort());
  await work(db, () => success());
  t.is((await db.query("select from deadline")).rowCount, 0, "an ended run has none");
  t.is((await dueWork(db, "host")).nextInMs, null);
});

test("deadlines count from the logical date, or from when something was queued; each mapped item has its own", async (t) => {
  const db = await testDatabase(t);
  const tasks: TaskGiven[] = [
    { id: "list" },
    { id: "each", kind: "map", mapOver: "list", upstream: ["list"], deadline: { ...LATE, from: "queued" } },
  ];
  await deploy(db, dagSpec("d", tasks, { deadline: { ...LATE, from: "logicalDate" } }));
  await pauseDag(db, "d");
  const logicalDate = new Date(Date.now() - 3_600_000);
  await createRun(db, { dagId: "d", runId: "r", logicalDate, by: "test" });
  await createRun(db, { dagId: "d", runId: "no date", by: "test" });
  t.is(await fireDeadlines(db), 1, "late before it has started; without a logical date there is none");
  await db.query("update dag set paused = false");
  await new Look(db, "host").once();
  const workerId = await worker(db);
  const { claimed } = await finishAndClaim(db, workerId, [], { functions: 1, operators: 0 });
  const [list] = claimed;
  t.is(await deadlines(db), 0, "not queued yet");
  const outcome = { attemptId: list?.attemptId as string, token: list?.token as string, ...success([1, 2, 3]) };
  await finishAndClaim(db, workerId, [outcome], { functions: 0, operators: 0 });
  t.is(await deadlines(db), 3);
  await later(db);
  t.is(await fireDeadlines(db), 3);
  t.deepEqual(
    (await outbox(db)).slice(1).sort(),
    [0, 1, 2].map((n) => `deadlineMissed each[${n}] → boss`),
  );
});

test("a notification is sent by one; one that cannot be sent is tried again, later each time, and given up in the end", async (t) => {
  const db = await testDatabase(t);
  await started(db, [{ id: "a" }], { notify: [{ on: ["runFailed"], to: ["ops"] }] });
  await work(db, () => FAILED);
  const both = await Promise.all([leaseNotifications(db, 9, 60), leaseNotifications(db, 9, 60)]);
  const [due, more] = both.flat();
  t.is(more, undefined);
  if (!due) return t.fail();
  t.deepEqual(await leaseNotifications(db, 9, 60), [], "it is leased");
  await settleFailed(db, due, "no", "again");
  await settleSent(db, due);
  const [row] = (await listNotifications(db, {}, { limit: 1, offset: 0 })).rows;
  t.like(row, { state: "pending", attempts: 1, error: "no" }, "a lease that was given back settles nothing");
  for (let attempt = 2; attempt <= ATTEMPT_LIMIT; attempt++) {
    await db.query("update notification set next_at = now()");
    const [again] = await leaseNotifications(db, 9, 60);
    t.is(again?.attempt, attempt);
    if (again) await settleFailed(db, again, "no", "again");
  }
  t.is((await listNotifications(db, { state: "dead" }, { limit: 1, offset: 0 })).total, 1);
  t.is(await retryNotifications(db), 1);
  const [again] = await leaseNotifications(db, 9, 60);
  if (again) await settleSent(db, again);
  t.is((await listNotifications(db, { state: "sent" }, { limit: 1, offset: 0 })).total, 1);
  await t.throwsAsync(retryNotifications(db, [999]), { code: "NOT_FOUND" });
});
