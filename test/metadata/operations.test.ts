import { randomUUID } from "node:crypto";
import test from "ava";
import { clearTasks, previewClear } from "../../src/metadata/clear.ts";
import type { Database } from "../../src/metadata/database.ts";
import { findViolations } from "../../src/metadata/invariants.ts";
import { cancelTask, markRun, markTasks, previewMark } from "../../src/metadata/mark.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { storeVersions } from "../../src/metadata/versions.ts";
import { admitWaits } from "../../src/metadata/waits.ts";
import { type ClaimedTask, finishAndClaim, heartbeat } from "../../src/metadata/work.ts";
import { testDatabase } from "../support/database.ts";
import {
  dagSpec,
  deploy,
  FAILED,
  fileOf,
  runOnce,
  statesOf,
  success,
  type TaskGiven,
  work,
  worker,
} from "./fixtures.ts";

const CHAIN: TaskGiven[] = [{ id: "a" }, { id: "b", upstream: ["a"] }, { id: "c", upstream: ["b"] }];
const ALL = { functions: 9, operators: 9 };
const NONE = { functions: 0, operators: 0 };

/** A run `r` of DAG `d`, started and not worked on. */
async function started(db: Database, tasks: readonly TaskGiven[] = CHAIN): Promise<number> {
  await deploy(db, dagSpec("d", tasks));
  return (await createRun(db, { dagId: "d", runId: "r", by: "test" })).id;
}

const RUN = { dagId: "d", runId: "r" };

function named(set: readonly { taskId: string; mapIndex: number }[]): string[] {
  return set.map(({ taskId, mapIndex }) => (mapIndex < 0 ? taskId : `${taskId}[${mapIndex}]`));
}

function finish(db: Database, workerId: string, task: ClaimedTask, ending: object = success()) {
  const outcome = { attemptId: task.attemptId, token: task.token, ...ending } as Parameters<
    typeof finishAndClaim
  >[2][0];
  return finishAndClaim(db, workerId, [outcome], NONE);
}

test("a clear's preview is what it clears: tasks, items, failed ones, relatives", async (t) => {
  const db = await testDatabase(t);
  const spec = dagSpec("d", [
    { id: "list" },
    { id: "each", kind: "map", mapOver: "list", upstream: ["list"] },
    { id: "end", upstream: ["each"] },
    { id: "aside" },
  ]);
  const first = await runOnce(db, spec, (task) =>
    task.taskId === "list" ? success([1, 2, 3]) : task.mapIndex === 1 ? FAILED : success(),
  );
  const run = { dagId: "d", runId: first.ran[0]?.runId as string };
  const preview = async (request: object) => named((await previewClear(db, { ...run, ...request })).affected);
  t.deepEqual(await preview({ tasks: [{ taskId: "each", mapIndex: 1 }] }), ["each[1]", "end"]);
  t.deepEqual(await preview({ states: ["failed", "upstream_failed"] }), ["each[1]", "end"]);
  t.deepEqual(await preview({ tasks: [{ taskId: "end" }], relatives: "upstream" }), [
    "list",
    "each[0]",
    "each[1]",
    "each[2]",
    "end",
  ]);
  t.deepEqual(await preview({ tasks: [{ taskId: "aside" }, { taskId: "end" }], relatives: "none" }), ["end", "aside"]);
  await t.throwsAsync(preview({ tasks: [{ taskId: "nope" }] }), { code: "NOT_FOUND", message: /nope/ });
  await t.throwsAsync(preview({ tasks: [{ taskId: "each", mapIndex: 9 }] }), { code: "NOT_FOUND" });
  const cleared = await clearTasks(db, { ...run, tasks: [{ taskId: "each", mapIndex: 1 }] });
  t.deepEqual(named(cleared.affected), ["each[1]", "end"]);
  const again = await work(db, () => success());
  t.deepEqual(named(again), ["each[1]", "end"]);
  t.is(again[0]?.tryNumber, 2);
  t.is((await statesOf(db, first.key)).run, "success");
});

test("clearing a list alone leaves the items of its map as they ended", async (t) => {
  const db = await testDatabase(t);
  const spec = dagSpec("d", [{ id: "list" }, { id: "each", kind: "map", mapOver: "list", upstream: ["list"] }]);
  const first = await runOnce(db, spec, (task) => (task.taskId === "list" ? success([1, 2]) : success()));
  await clearTasks(db, {
    dagId: "d",
    runId: first.ran[0]?.runId as string,
    tasks: [{ taskId: "list" }],
    relatives: "none",
  });
  await work(db, () => success([1, 2, 3]));
  t.deepEqual(await statesOf(db, first.key), {
    run: "success",
    tasks: { list: "success", "each[0]": "success", "each[1]": "success" },
  });
});

test("a map that is done again keeps the tries of its items, also of those that it does not have any more", async (t) => {
  const db = await testDatabase(t);
  const spec = dagSpec("d", [
    { id: "list" },
    { id: "each", kind: "map", mapOver: "list", upstream: ["list"] },
    { id: "end", upstream: ["each"], inputs: { all: "each" } },
  ]);
  let items = [1, 2, 3];
  const run = (task: ClaimedTask) => success(task.taskId === "list" ? items : task.item);
  const first = await runOnce(db, spec, run);
  const again = async () => {
    await clearTasks(db, { dagId: "d", runId: first.ran[0]?.runId as string, tasks: [{ taskId: "list" }] });
    return work(db, run);
  };
  items = [7];
  t.deepEqual((await again()).at(-1)?.inputs, { all: [7] });
  t.deepEqual((await statesOf(db, first.key)).tasks, {
    "each[1]": "removed",
    "each[2]": "removed",
    list: "success",
    "each[0]": "success",
    end: "success",
  });
  items = [8, 9];
  t.deepEqual((await again()).at(-1)?.inputs, { all: [8, 9] });
  const tries = await db.query(
    "select map_index, try_number, state from task_instance where task_id = 'each' order by map_index",
  );
  t.deepEqual(tries.rows, [
    { map_index: 0, try_number: 3, state: "success" },
    { map_index: 1, try_number: 2, state: "success" },
    { map_index: 2, try_number: 1, state: "removed" },
  ]);
  t.is(
    (
      await db.query(
        "select from task_attempt a join task_instance t on t.id = task_instance_id where t.task_id = 'each'",
      )
    ).rowCount,
    6,
  );
});

test("what runs is not cleared unless asked for; then its try is fenced and its late outcome changes nothing", async (t) => {
  const db = await testDatabase(t);
  const key = await started(db);
  const workerId = await worker(db);
  const { claimed } = await finishAndClaim(db, workerId, [], ALL);
  const a = claimed[0] as ClaimedTask;
  await t.throwsAsync(clearTasks(db, RUN), { code: "CONFLICT", message: /a has not ended: it is running/ });
  t.is((await statesOf(db, key)).tasks.a, "running", "nothing was changed");
  await clearTasks(db, { ...RUN, unended: "cancel" });
  t.deepEqual((await heartbeat(db, workerId)).revoked, [{ attemptId: a.attemptId, reason: "fenced" }]);
  t.deepEqual((await finish(db, workerId, a)).fenced, [a.attemptId]);
  t.deepEqual(await statesOf(db, key), { run: "running", tasks: { a: "queued", b: "none", c: "none" } });
  const again = await work(db, () => success());
  t.is(again[0]?.tryNumber, 2);
  t.is((await statesOf(db, key)).run, "success");
});

test("of two clears at once one wins and the other is told", async (t) => {
  const db = await testDatabase(t);
  const key = await started(db);
  await work(db, (task) => (task.taskId === "b" ? FAILED : success()));
  const request = { ...RUN, states: ["failed", "upstream_failed"] as const, unended: "cancel" as const };
  const blocker = await db.connect();
  await blocker.query("begin");
  await blocker.query("select lock_run($1)", [key]);
  const both = Promise.allSettled([clearTasks(db, request), clearTasks(db, request)]);
  while (!(await waiting(db, 2))) await new Promise(setImmediate);
  await blocker.query("commit");
  blocker.release();
  const [one, two] = await both;
  t.deepEqual([one.status, two.status].sort(), ["fulfilled", "rejected"]);
  const refused = one.status === "rejected" ? one.reason : (two as PromiseRejectedResult).reason;
  t.is(refused.code, "CONFLICT");
  t.deepEqual(named(await work(db, () => success())), ["b", "c"]);
  t.is((await statesOf(db, key)).run, "success");
});

test("of a clear and the end of a task one wins", async (t) => {
  const db = await testDatabase(t);
  const key = await started(db);
  const workerId = await worker(db);
  const a = (await finishAndClaim(db, workerId, [], ALL)).claimed[0] as ClaimedTask;
  const blocker = await db.connect();
  await blocker.query("begin");
  // Sees the task running, then waits for the run; meanwhile the task ends.
  await blocker.query("select finish_and_claim($1, $2, 0, 0, $3, false)", [
    workerId,
    JSON.stringify([{ attemptId: a.attemptId, token: a.token, ...success() }]),
    randomUUID(),
  ]);
  const clear = clearTasks(db, { ...RUN, unended: "cancel" });
  const refused = t.throwsAsync(clear, { code: "CONFLICT", message: /changed while/ });
  while (!(await waiting(db, 1))) await new Promise(setImmediate);
  await blocker.query("commit");
  blocker.release();
  await refused;
  t.deepEqual(await statesOf(db, key), { run: "running", tasks: { a: "success", b: "queued", c: "none" } });
});

test("a task claimed while it is cleared is fenced", async (t) => {
  const db = await testDatabase(t);
  const key = await started(db);
  const workerId = await worker(db);
  const blocker = await db.connect();
  await blocker.query("begin");
  await blocker.query("select finish_and_claim($1, '[]', 9, 9, $2, false)", [workerId, randomUUID()]);
  const clear = clearTasks(db, { ...RUN, unended: "cancel" });
  while (!(await waiting(db, 1))) await new Promise(setImmediate);
  await blocker.query("commit");
  blocker.release();
  await clear;
  t.is((await heartbeat(db, workerId)).revoked[0]?.reason, "fenced");
  t.is((await statesOf(db, key)).tasks.a, "queued");
});

async function waiting(db: Database, n: number): Promise<boolean> {
  const result = await db.query(
    "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
  );
  return (result.rowCount ?? 0) >= n;
}

test("marking a failed task success lets what waited for it run", async (t) => {
  const db = await testDatabase(t);
  const key = await started(db);
  await work(db, (task) => (task.taskId === "b" ? FAILED : success()));
  t.deepEqual(await statesOf(db, key), { run: "failed", tasks: { a: "success", b: "failed", c: "upstream_failed" } });
  const request = { ...RUN, tasks: [{ taskId: "b" }], state: "success" as const };
  t.deepEqual(named(await previewMark(db, request)), ["b"]);
  await markTasks(db, request);
  t.deepEqual(named(await work(db, () => success())), ["c"]);
  t.is((await statesOf(db, key)).run, "success");
  t.deepEqual(await markTasks(db, request), [], "it is success already");
});

test("a running task marked failed is fenced, its downstream told, its run ended", async (t) => {
  const db = await testDatabase(t);
  const key = await started(db);
  const workerId = await worker(db);
  const a = (await finishAndClaim(db, workerId, [], ALL)).claimed[0] as ClaimedTask;
  await markTasks(db, { ...RUN, tasks: [{ taskId: "a" }], state: "failed" });
  t.deepEqual(await statesOf(db, key), {
    run: "failed",
    tasks: { a: "failed", b: "upstream_failed", c: "upstream_failed" },
  });
  t.deepEqual((await finish(db, workerId, a)).fenced, [a.attemptId]);
  t.is((await statesOf(db, key)).tasks.a, "failed");
});

test("marking with relatives skips what has not started", async (t) => {
  const db = await testDatabase(t);
  const key = await started(db, [...CHAIN, { id: "aside" }]);
  await markTasks(db, { ...RUN, tasks: [{ taskId: "b" }], relatives: "downstream", state: "skipped" });
  t.deepEqual(await statesOf(db, key), {
    run: "running",
    tasks: { a: "queued", b: "skipped", c: "skipped", aside: "queued" },
  });
  await work(db, () => success());
  t.is((await statesOf(db, key)).run, "success");
});

test("a run is declared a success or a failure, going or ended", async (t) => {
  const db = await testDatabase(t);
  const key = await started(db);
  await markRun(db, RUN, "success");
  t.deepEqual(await statesOf(db, key), { run: "success", tasks: { a: "success", b: "success", c: "success" } });
  await markRun(db, RUN, "failed");
  t.is((await statesOf(db, key)).run, "failed");
  const other = await createRun(db, { dagId: "d", runId: "other", by: "test" });
  await markRun(db, { dagId: "d", runId: "other" }, "failed");
  t.deepEqual(await statesOf(db, other.id), { run: "failed", tasks: { a: "skipped", b: "skipped", c: "skipped" } });
});

test("one task is cancelled: what runs is told to end, what waits fails at once", async (t) => {
  const db = await testDatabase(t);
  const key = await started(db, [...CHAIN, { id: "aside" }]);
  const workerId = await worker(db);
  const { claimed } = await finishAndClaim(db, workerId, [], { functions: 1, operators: 0 });
  t.deepEqual(named(claimed), ["a"]);
  t.deepEqual(await cancelTask(db, RUN, { taskId: "a" }), { running: 1 });
  t.deepEqual((await heartbeat(db, workerId)).revoked, [
    { attemptId: claimed[0]?.attemptId as string, reason: "cancelled" },
  ]);
  t.deepEqual(await cancelTask(db, RUN, { taskId: "aside" }), { running: 0 });
  await finish(db, workerId, claimed[0] as ClaimedTask, FAILED);
  t.deepEqual(await statesOf(db, key), {
    run: "failed",
    tasks: { a: "failed", b: "upstream_failed", c: "upstream_failed", aside: "failed" },
  });
  await t.throwsAsync(cancelTask(db, RUN, { taskId: "a" }), { code: "CONFLICT" });
});

test("what waits for something outside is cleared, marked and cancelled like the rest", async (t) => {
  const db = await testDatabase(t);
  const sensor = { everyMs: 60_000, factor: 1, maxMs: 60_000, onTimeout: "fail" } as const;
  const poked = { kind: "sensor", sensor, timeoutMs: 3_600_000 } as const;
  const declared = { ...poked, operator: { name: "fileSensor", config: {} } };
  const key = await started(db, [
    { id: "a", ...declared },
    { id: "b", ...poked },
    { id: "c", ...declared },
  ]);
  const wait = async () => {
    await admitWaits(db);
    await work(db, () => ({ state: "up_for_reschedule" }));
  };
  await wait();
  t.deepEqual((await statesOf(db, key)).tasks, { a: "deferred", b: "up_for_reschedule", c: "deferred" });
  await clearTasks(db, { ...RUN, unended: "cancel" });
  t.deepEqual((await statesOf(db, key)).tasks, { a: "queued", b: "queued", c: "queued" });
  t.is((await db.query("select from task_wait")).rowCount, 0);
  await wait();
  await markTasks(db, { ...RUN, tasks: [{ taskId: "a" }, { taskId: "b" }], state: "success" });
  await cancelTask(db, RUN, { taskId: "c" });
  t.deepEqual(await statesOf(db, key), { run: "failed", tasks: { a: "success", b: "success", c: "failed" } });
  t.deepEqual(await findViolations(db), []);
});

test("a run goes on with the latest version: added tasks run, removed ones keep their tries, the rest stays", async (t) => {
  const db = await testDatabase(t);
  const key = await started(db, [{ id: "old" }, ...CHAIN]);
  await work(db, (task) => (task.taskId === "b" ? FAILED : success(task.taskId)));
  const newer = dagSpec("d", [
    { id: "a" },
    { id: "new", upstream: ["a"] },
    { id: "b", upstream: ["new"], inputs: { new: "new" } },
    { id: "c", upstream: ["b"] },
  ]);
  await storeVersions(db, [fileOf("dags/test.ts", [newer], "export default 2;")]);
  const request = { ...RUN, states: ["failed", "upstream_failed"] as const, version: "latest" as const };
  const diff = { from: 1, to: 2, added: ["new"], removed: ["old"], changed: ["b"] };
  const preview = await previewClear(db, request);
  t.deepEqual(preview.diff, diff);
  t.deepEqual(named(preview.affected), ["b", "c"]);
  t.deepEqual(
    preview.affected.map((one) => one.state),
    ["failed", "upstream_failed"],
  );
  t.is((await statesOf(db, key)).run, "failed", "a preview changes nothing");
  t.deepEqual((await clearTasks(db, request)).diff, diff);
  const ran = await work(db, (task) => success(task.taskId));
  t.deepEqual(named(ran), ["new", "b", "c"]);
  t.deepEqual(ran[1]?.inputs, { new: "new" });
  t.is(ran[1]?.tryNumber, 2);
  t.deepEqual(await statesOf(db, key), {
    run: "success",
    tasks: { old: "removed", a: "success", new: "success", b: "success", c: "success" },
  });
  const tries = await db.query(
    "select t.task_id from task_attempt a join task_instance t on t.id = a.task_instance_id where t.state = 'removed'",
  );
  t.deepEqual(tries.rows, [{ task_id: "old" }], "its try is kept");
  t.is((await clearTasks(db, request)).diff, null, "it has the latest version now");
});

test("a task that comes back is done again with its history; one that is mapped now is done again whole", async (t) => {
  const db = await testDatabase(t);
  const both = dagSpec("d", [{ id: "list" }, { id: "each", upstream: ["list"] }]);
  const one = dagSpec("d", [{ id: "list" }]);
  const mapped = dagSpec("d", [{ id: "list" }, { id: "each", kind: "map", mapOver: "list", upstream: ["list"] }]);
  const latest = { ...RUN, tasks: [{ taskId: "list" }], relatives: "none", version: "latest" } as const;
  const next = async (spec: typeof both, code: string) => {
    await storeVersions(db, [fileOf("dags/test.ts", [spec], code)]);
    await clearTasks(db, latest);
    return named(await work(db, (task) => (task.taskId === "list" ? success([1, 2]) : success())));
  };
  await deploy(db, both);
  const { id } = await createRun(db, { dagId: "d", runId: "r", by: "test" });
  await work(db, () => success([1, 2]));
  t.deepEqual(await next(one, "2"), ["list"]);
  t.is((await statesOf(db, id)).tasks.each, "removed");
  t.deepEqual(await next(both, "3"), ["list", "each"]);
  t.deepEqual(await next(mapped, "4"), ["list", "each[0]", "each[1]"]);
  t.deepEqual(await next(both, "5"), ["list", "each"]);
  t.deepEqual((await statesOf(db, id)).tasks, { list: "success", each: "success", "each[1]": "removed" });
  const tries = await db.query("select try_number from task_instance where task_id = 'each' and map_index = -1");
  t.deepEqual(tries.rows, [{ try_number: 4 }]);
  t.is((await statesOf(db, id)).run, "success");
});

test("a newer version that does not take the run's conf leaves the run as it is", async (t) => {
  const db = await testDatabase(t);
  const key = await started(db);
  await work(db, () => success());
  const params = {
    type: "object",
    properties: { day: { type: "string" } },
    required: ["day"],
    additionalProperties: false,
  };
  await storeVersions(db, [fileOf("dags/test.ts", [dagSpec("d", CHAIN, { params })], "2")]);
  await t.throwsAsync(clearTasks(db, { ...RUN, version: "latest" }), { code: "PARAMS_INVALID" });
  t.is((await statesOf(db, key)).run, "success");
});
