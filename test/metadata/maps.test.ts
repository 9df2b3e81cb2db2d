import test from "ava";
import { clearTasks } from "../../src/metadata/clear.ts";
import type { Database } from "../../src/metadata/database.ts";
import { cancelRun, createRun } from "../../src/metadata/runs.ts";
import { type AttemptOutcome, type ClaimedTask, finishAndClaim } from "../../src/metadata/work.ts";
import { testDatabase } from "../support/database.ts";
import {
  dagSpec,
  deploy,
  type Ending,
  FAILED,
  runOnce,
  statesOf,
  success,
  type TaskGiven,
  work,
  worker,
} from "./fixtures.ts";

const LIST: TaskGiven = { id: "list" };
const MAP: TaskGiven = { id: "map", kind: "map", mapOver: "list", upstream: ["list"] };

function numbers(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

async function countOf(db: Database, state: string): Promise<number> {
  const found = await db.query<{ n: number }>("select count(*)::integer as n from task_instance where state = $1", [
    state,
  ]);
  return found.rows[0]?.n as number;
}

test("of a map of many items a window is queued, which moves on as they end; all run once, in order for their reader", async (t) => {
  const db = await testDatabase(t);
  const items = 400;
  await deploy(
    db,
    dagSpec("d", [LIST, { ...MAP, maxActive: 10 }, { id: "sum", upstream: ["map"], inputs: { map: "map" } }]),
  );
  const run = await createRun(db, { dagId: "d", by: "test" });
  const workerId = await worker(db);
  let outcomes: AttemptOutcome[] = [];
  let sum: ClaimedTask | undefined;
  for (;;) {
    const { claimed } = await finishAndClaim(db, workerId, outcomes, { functions: 64, operators: 0 });
    if (claimed.length === 0) break;
    const waiting = await countOf(db, "queued");
    t.true(
      waiting + claimed.length <= 20 || claimed[0]?.taskId !== "map",
      `${waiting} queued, ${claimed.length} running`,
    );
    sum = claimed.find(({ taskId }) => taskId === "sum");
    outcomes = claimed.map(({ attemptId, token, taskId, item }) => ({
      attemptId,
      token,
      ...success(taskId === "list" ? numbers(items) : taskId === "map" ? (item as number) * 2 : null),
    }));
  }
  t.deepEqual(
    sum?.inputs.map,
    numbers(items).map((n) => n * 2),
  );
  t.is((await statesOf(db, run.id)).run, "success");
});

test("a map over a map follows it item by item; a reader of the first still gets all of it", async (t) => {
  const db = await testDatabase(t);
  await deploy(
    db,
    dagSpec("d", [
      LIST,
      MAP,
      { id: "next", kind: "map", mapOver: "map", upstream: ["map"] },
      { id: "all", upstream: ["map"], inputs: { map: "map" }, rule: "all_done" },
      { id: "last", kind: "map", mapOver: "next", upstream: ["next"], rule: "all_done" },
    ]),
  );
  const { id } = await createRun(db, { dagId: "d", by: "test" });
  const workerId = await worker(db);
  const finish = (ended: readonly (ClaimedTask | undefined)[], how: (task: ClaimedTask) => Ending) =>
    finishAndClaim(
      db,
      workerId,
      (ended as ClaimedTask[]).map((task) => ({ attemptId: task.attemptId, token: task.token, ...how(task) })),
      { functions: 16, operators: 0 },
    );
  const listed = await finish([], () => success());
  const mapped = await finish(listed.claimed, () => success(["a", "b", "c"]));
  t.deepEqual(
    mapped.claimed.map(({ item }) => item),
    ["a", "b", "c"],
  );
  const second = await finish([mapped.claimed[1]], ({ item }) => success(`${item}!`));
  t.deepEqual(
    second.claimed.map(({ taskId, mapIndex, item }) => [taskId, mapIndex, item]),
    [["next", 1, "b!"]],
  );
  const failed = await finish([mapped.claimed[0]], () => FAILED);
  t.deepEqual(
    failed.claimed.map(({ taskId, mapIndex }) => [taskId, mapIndex]),
    [["last", 0]],
  );
  const third = await finish([mapped.claimed[2]], ({ item }) => success(`${item}!`));
  t.deepEqual(third.claimed.map(({ taskId, mapIndex }) => [taskId, mapIndex]).sort(), [
    ["all", -1],
    ["next", 2],
  ]);
  const all = third.claimed.find(({ taskId }) => taskId === "all");
  t.deepEqual(all?.inputs.map, [
    { state: "failed" },
    { state: "success", value: "b!" },
    { state: "success", value: "c!" },
  ]);
  const rest = await finish([...second.claimed, ...failed.claimed, ...third.claimed], () => success());
  await finish(rest.claimed, () => success());
  const { tasks, run } = await statesOf(db, id);
  t.like(tasks, { "next[0]": "upstream_failed", "next[1]": "success", "last[0]": "success", "last[2]": "success" });
  t.is(run, "success");
});

test("a map that follows one which did not run does not run either", async (t) => {
  const db = await testDatabase(t);
  const chain = (rule: TaskGiven["rule"]) =>
    [LIST, MAP, { id: "next", kind: "map", mapOver: "map", upstream: ["map"], rule }] as TaskGiven[];
  const empty = await runOnce(db, dagSpec("empty", chain("all_success")), () => success([]));
  t.deepEqual(empty.tasks, { list: "success", map: "skipped", next: "skipped" });
  const whatever = await runOnce(db, dagSpec("whatever", chain("all_done")), () => success([]));
  t.deepEqual(whatever.tasks, { list: "success", map: "skipped", next: "upstream_failed" });
});

test("one item is tried again alone, with what follows it", async (t) => {
  const db = await testDatabase(t);
  const spec = dagSpec("d", [
    LIST,
    MAP,
    { id: "next", kind: "map", mapOver: "map", upstream: ["map"] },
    { id: "end", upstream: ["next"] },
  ]);
  const how = ({ taskId, mapIndex, tryNumber }: ClaimedTask) => {
    if (taskId === "list") return success(["a", "b", "c"]);
    return taskId === "map" && mapIndex === 1 && tryNumber === 1 ? FAILED : success();
  };
  const first = await runOnce(db, spec, how);
  t.is(first.run, "failed");
  const { runId } = (await db.query<{ runId: string }>('select run_id as "runId" from dag_run')).rows[0] as {
    runId: string;
  };
  await clearTasks(db, { dagId: "d", runId, tasks: [{ taskId: "map", mapIndex: 1 }] });
  const again = await work(db, how);
  t.deepEqual(
    again.map(({ taskId, mapIndex }) => [taskId, mapIndex]),
    [
      ["map", 1],
      ["next", 1],
      ["end", -1],
    ],
  );
  t.is(again[0]?.item, "b");
  t.deepEqual(await statesOf(db, first.key), {
    run: "success",
    tasks: {
      list: "success",
      "map[0]": "success",
      "map[1]": "success",
      "map[2]": "success",
      "next[0]": "success",
      "next[1]": "success",
      "next[2]": "success",
      end: "success",
    },
  });
});

test("a map that is done again whole may have another number of items, and so have those that follow it", async (t) => {
  const db = await testDatabase(t);
  const spec = dagSpec("d", [
    LIST,
    MAP,
    { id: "next", kind: "map", mapOver: "map", upstream: ["map"] },
    { id: "end", upstream: ["next"] },
  ]);
  const listing =
    (n: number) =>
    ({ taskId }: ClaimedTask) =>
      success(taskId === "list" ? numbers(n) : null);
  const { key } = await runOnce(db, spec, listing(3));
  const runId = (await db.query<{ run_id: string }>("select run_id from dag_run")).rows[0]?.run_id as string;
  for (const n of [2, 5]) {
    await clearTasks(db, { dagId: "d", runId });
    const ran = await work(db, listing(n));
    t.is(ran.filter(({ taskId }) => taskId === "next").length, n);
    t.is((await statesOf(db, key)).run, "success");
  }
});

test("a map of an operator runs in the host, with its item", async (t) => {
  const db = await testDatabase(t);
  const operator = { name: "noop", config: { path: { $item: "list", path: ["path"] } } };
  const { ran } = await runOnce(db, dagSpec("d", [LIST, { ...MAP, operator }]), ({ taskId }) =>
    success(taskId === "list" ? [{ path: "/a" }, { path: "/b" }] : null),
  );
  const mapped = ran.filter(({ taskId }) => taskId === "map");
  t.deepEqual(
    mapped.map(({ item, operator }) => [item, operator?.name]),
    [
      [{ path: "/a" }, "noop"],
      [{ path: "/b" }, "noop"],
    ],
  );
});

test("what a map returned reaches its reader also where it is large, and is refused by name where it is too large", async (t) => {
  const db = await testDatabase(t);
  const spec = dagSpec("d", [LIST, MAP, { id: "all", upstream: ["map"], inputs: { map: "map" } }]);
  const value = "x".repeat(60_000);
  const results =
    (n: number) =>
    ({ taskId }: ClaimedTask) =>
      success(taskId === "list" ? numbers(n) : taskId === "map" ? value : null);
  const { ran } = await runOnce(db, spec, results(100));
  const all = ran.find(({ taskId }) => taskId === "all");
  t.deepEqual(all?.inputs.map, Array(100).fill(value));
  t.false(all?.isInputTooLarge);
  await db.query("update xcom set size = 1000000");
  const runId = (await db.query<{ run_id: string }>("select run_id from dag_run")).rows[0]?.run_id as string;
  await clearTasks(db, { dagId: "d", runId, tasks: [{ taskId: "all" }] });
  const [again] = await work(db, results(0));
  t.true(again?.isInputTooLarge);
  t.deepEqual(again?.outputs, {});
});

test("who starts early sees what has not ended yet as pending, task or item", async (t) => {
  const db = await testDatabase(t);
  const early: TaskGiven = {
    id: "early",
    upstream: ["quick", "slow", "map"],
    rule: "one_success",
    inputs: { quick: "quick", slow: "slow", map: "map" },
  };
  await deploy(
    db,
    dagSpec(
      "d",
      [{ id: "quick", priority: 2 }, { id: "slow" }, LIST, MAP, early].map((task) => ({ ...task })),
    ),
  );
  await createRun(db, { dagId: "d", by: "test" });
  const workerId = await worker(db);
  const [quick] = (await finishAndClaim(db, workerId, [], { functions: 1, operators: 0 })).claimed;
  const told = { attemptId: quick?.attemptId as string, token: quick?.token as string, ...success(1) };
  const { claimed } = await finishAndClaim(db, workerId, [told], { functions: 8, operators: 0 });
  t.deepEqual(claimed.find(({ taskId }) => taskId === "early")?.inputs, {
    quick: { state: "success", value: 1 },
    slow: { state: "pending" },
    map: [],
  });
});

test("an item that is too large, and too many of them, fail the map by name", async (t) => {
  const db = await testDatabase(t);
  const large = await runOnce(db, dagSpec("large", [LIST, MAP]), () => success(["a", "x".repeat(1_100_000)]));
  t.is(large.tasks.map, "failed");
  const many = await runOnce(db, dagSpec("many", [LIST, MAP]), () => success(numbers(100_001)));
  t.is(many.tasks.map, "failed");
  const reasons = await db.query<{ reason: string }>(
    "select reason from task_instance where task_id = 'map' order by id",
  );
  t.regex(reasons.rows[0]?.reason as string, /item 1 .* larger than 1048576 bytes/);
  t.regex(reasons.rows[1]?.reason as string, /100001 items: more than 100000/);
});

test("a cancelled run drops the items that wait for their window", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [LIST, { ...MAP, maxActive: 1 }]));
  const { id, runId } = await createRun(db, { dagId: "d", by: "test" });
  const workerId = await worker(db);
  const [list] = (await finishAndClaim(db, workerId, [], { functions: 1, operators: 0 })).claimed;
  const told = { attemptId: list?.attemptId as string, token: list?.token as string, ...success(numbers(10)) };
  await finishAndClaim(db, workerId, [told], { functions: 0, operators: 0 });
  t.is(await countOf(db, "scheduled"), 8);
  await cancelRun(db, "d", runId);
  t.is((await statesOf(db, id)).run, "failed");
  t.is(await countOf(db, "skipped"), 10);
});
