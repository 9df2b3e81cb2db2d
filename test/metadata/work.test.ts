import test from "ava";
import { clearTasks, previewClear } from "../../src/metadata/clear.ts";
import type { Database } from "../../src/metadata/database.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { storeVersions } from "../../src/metadata/versions.ts";
import { type ClaimedTask, fetchBundle, finishAndClaim } from "../../src/metadata/work.ts";
import { testDatabase } from "../support/database.ts";
import { dagSpec, deploy, type Ending, FAILED, fileOf, runOnce, statesOf, success, work, worker } from "./fixtures.ts";

function taskOf(ran: readonly ClaimedTask[], id: string): ClaimedTask {
  return ran.find((task) => task.taskId === id) as ClaimedTask;
}

test("values reach inputs and outputs; large ones are kept once a content", async (t) => {
  const db = await testDatabase(t);
  const big = "x".repeat(100_000);
  const operator = { name: "op", config: { path: { $output: "small", path: ["a"] } } };
  const spec = dagSpec("d", [
    { id: "small" },
    { id: "big" },
    { id: "same", upstream: ["small"] },
    { id: "take", upstream: ["small", "big", "same"], inputs: { one: "small", two: "big" } },
    { id: "op", kind: "operator", operator, upstream: ["small"] },
    { id: "some", upstream: ["small", "big"], inputs: { one: "small" }, rule: "all_done" },
  ]);
  const values: Record<string, Ending> = { small: success({ a: [1] }), big: success(big), same: success(big) };
  const { ran } = await runOnce(db, spec, ({ taskId }) => values[taskId] ?? success());
  t.deepEqual(taskOf(ran, "take").inputs, { one: { a: [1] }, two: big });
  t.deepEqual(taskOf(ran, "op").outputs, { small: { a: [1] } });
  t.deepEqual(taskOf(ran, "op").operator, operator);
  t.deepEqual(taskOf(ran, "some").inputs, { one: { state: "success", value: { a: [1] } } });
  const kept = await db.query(
    "select (select count(*)::int from xcom) as values, (select count(*)::int from xcom_blob) as blobs",
  );
  t.deepEqual(kept.rows, [{ values: 3, blobs: 1 }]);
});

test("text that JSON can write and the database cannot hold fails the task by name", async (t) => {
  const db = await testDatabase(t);
  const endings: Record<string, Ending> = {
    nul: success("a\u0000b"),
    half: success(["\ud800"]),
    fine: success("\\u0000 😀"),
  };
  const { tasks } = await runOnce(
    db,
    dagSpec("d", [{ id: "nul" }, { id: "half" }, { id: "fine" }]),
    ({ taskId }) => endings[taskId] as Ending,
  );
  t.deepEqual(tasks, { nul: "failed", half: "failed", fine: "success" });
});

test("a map runs once an item, in order for its reader; its reader waits for all", async (t) => {
  const db = await testDatabase(t);
  const spec = dagSpec("d", [
    { id: "list" },
    { id: "each", kind: "map", mapOver: "list", upstream: ["list"] },
    { id: "again", kind: "map", mapOver: "each", upstream: ["each"] },
    { id: "sum", upstream: ["again"], inputs: { all: "again" } },
  ]);
  const items = Array.from({ length: 100 }, (_, i) => i);
  const { ran, run, tasks } = await runOnce(db, spec, (task) => {
    if (task.taskId === "list") return success(items);
    return success(task.kind === "map" ? (task.item as number) + 1 : null);
  });
  t.is(run, "success");
  t.is(Object.keys(tasks).length, 202);
  t.deepEqual(taskOf(ran, "sum").inputs, { all: items.map((i) => i + 2) });
});

test("a map over nothing is skipped, and over no array fails", async (t) => {
  const db = await testDatabase(t);
  const tasks = [
    { id: "list" },
    { id: "each", kind: "map" as const, mapOver: "list", upstream: ["list"] },
    { id: "end", upstream: ["each"] },
  ];
  const empty = await runOnce(db, dagSpec("empty", tasks), () => success([]));
  t.deepEqual(empty.tasks, { list: "success", each: "skipped", end: "skipped" });
  const wrong = await runOnce(db, dagSpec("wrong", tasks), () => success("text"));
  t.deepEqual([wrong.tasks.each, wrong.tasks.end, wrong.run], ["failed", "upstream_failed", "failed"]);
});

test("one failed item fails what follows, after all items have ended", async (t) => {
  const db = await testDatabase(t);
  const spec = dagSpec("d", [
    { id: "list" },
    { id: "each", kind: "map", mapOver: "list", upstream: ["list"] },
    { id: "end", upstream: ["each"] },
    { id: "watch", upstream: ["each"], inputs: { all: "each" }, rule: "all_done" },
  ]);
  const { ran, tasks } = await runOnce(db, spec, (task) =>
    task.taskId === "list" ? success([1, 2, 3]) : task.item === 2 ? FAILED : success(task.item),
  );
  t.is(tasks.end, "upstream_failed");
  t.deepEqual(taskOf(ran, "watch").inputs, {
    all: [{ state: "success", value: 1 }, { state: "failed" }, { state: "success", value: 3 }],
  });
});

test("a branch chooses by name or id, and a wrong choice fails it by name", async (t) => {
  const db = await testDatabase(t);
  const branch = { id: "b", kind: "branch" as const, branchTargets: { left: "l" } };
  const spec = (id: string) =>
    dagSpec(id, [
      branch,
      { id: "l", upstream: ["b"] },
      { id: "r", upstream: ["b"] },
      { id: "end", upstream: ["l", "r"], rule: "none_failed" },
    ]);
  const choose =
    (...branch: string[]) =>
    ({ taskId }: ClaimedTask): Ending =>
      taskId === "b" ? { state: "success", value: null, branch } : success();
  t.deepEqual((await runOnce(db, spec("name"), choose("left"))).tasks, {
    b: "success",
    l: "success",
    r: "skipped",
    end: "success",
  });
  t.deepEqual((await runOnce(db, spec("id"), choose("r"))).tasks, {
    b: "success",
    l: "skipped",
    r: "success",
    end: "success",
  });
  t.deepEqual((await runOnce(db, spec("none"), choose())).tasks, {
    b: "success",
    l: "skipped",
    r: "skipped",
    end: "success",
  });
  const wrong = await runOnce(db, spec("wrong"), choose("elsewhere"));
  t.is(wrong.tasks.b, "failed");
  const error = await db.query(
    "select error ->> 'message' as message from task_attempt a join task_instance t on t.attempt_id = a.attempt_id where t.dag_id = 'wrong' and t.task_id = 'b'",
  );
  t.regex(error.rows[0]?.message, /elsewhere/);
});

test("retries are counted, delayed, and end", async (t) => {
  const db = await testDatabase(t);
  const retry = { retries: 2, delayMs: 1000, factor: 3, maxMs: 2500, jitter: "none" } as const;
  await deploy(db, dagSpec("d", [{ id: "a", retry }]));
  const run = await createRun(db, { dagId: "d", by: "test" });
  const delays: number[] = [];
  for (let i = 0; i < 3; i++) {
    await work(db, () => FAILED);
    const row = await db.query<{ ms: number | null }>(
      "select extract(epoch from wake_at - (select max(ended_at) from task_attempt))::float8 * 1000 as ms from task_instance",
    );
    if (row.rows[0]?.ms) delays.push(Math.round(row.rows[0].ms));
    await db.query("update task_instance set state = 'queued', wake_at = null where state = 'up_for_retry'");
  }
  t.deepEqual(delays, [1000, 2500]);
  t.deepEqual(await statesOf(db, run.id), { run: "failed", tasks: { a: "failed" } });
});

test("a fatal failure is not tried again", async (t) => {
  const db = await testDatabase(t);
  const retry = { retries: 5, delayMs: 0, factor: 1, maxMs: 0, jitter: "full" } as const;
  const { tasks } = await runOnce(
    db,
    dagSpec("d", [{ id: "a", retry }]),
    () => ({ ...FAILED, retry: "fatal" }) as Ending,
  );
  t.is(tasks.a, "failed");
});

async function overlap(db: Database, claimers: number, limit: string): Promise<number> {
  const workers = await Promise.all(Array.from({ length: claimers }, () => worker(db)));
  let most = 0;
  let running = true;
  const watch = (async () => {
    while (running) {
      const row = await db.query<{ n: number }>(
        `select coalesce(sum(${limit}), 0)::int as n from task_instance where state = 'running'`,
      );
      most = Math.max(most, row.rows[0]?.n ?? 0);
    }
  })();
  await Promise.all(workers.map((workerId) => work(db, () => success(), { workerId, batch: 3 })));
  running = false;
  await watch;
  return most;
}

test("claimers at once never overrun a pool, a run's or a task's limit", async (t) => {
  const db = await testDatabase(t, { max: 12 });
  await db.query("insert into pool (name, slots) values ('small', 6)");
  const many = Array.from({ length: 120 }, (_, i) => ({ id: `t${i}`, pool: "small", poolSlots: 2 }));
  await deploy(
    db,
    dagSpec("pool", many),
    dagSpec(
      "run",
      many.map(({ id }) => ({ id })),
      { maxActiveTasks: 4 },
    ),
  );
  const pooled = await createRun(db, { dagId: "pool", by: "test" });
  t.true((await overlap(db, 6, "pool_slots")) <= 6);
  t.is((await statesOf(db, pooled.id)).run, "success");
  const limited = await createRun(db, { dagId: "run", by: "test" });
  t.true((await overlap(db, 6, "1")) <= 4);
  t.is((await statesOf(db, limited.id)).run, "success");
  const spec = dagSpec("task", [
    { id: "list" },
    { id: "each", kind: "map", mapOver: "list", upstream: ["list"], maxActive: 2 },
  ]);
  await deploy(db, spec);
  const mapped = await createRun(db, { dagId: "task", by: "test" });
  await work(db, () => success(Array.from({ length: 40 }, (_, i) => i)), { batch: 1 });
  t.is((await statesOf(db, mapped.id)).run, "success");
});

test("a run's limit of active tasks holds also for a worker with room for all that waits", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("run", [{ id: "a" }, { id: "b" }, { id: "c" }], { maxActiveTasks: 2 }));
  await createRun(db, { dagId: "run", by: "test" });
  const workerId = await worker(db);
  const claim = async () => (await finishAndClaim(db, workerId, [], { functions: 9, operators: 9 })).claimed.length;
  t.deepEqual([await claim(), await claim()], [2, 0]);
});

test("a task that may run twice at once runs twice at once and not thrice", async (t) => {
  const db = await testDatabase(t);
  const spec = dagSpec("task", [
    { id: "list" },
    { id: "each", kind: "map", mapOver: "list", upstream: ["list"], maxActive: 2 },
  ]);
  await deploy(db, spec);
  await createRun(db, { dagId: "task", by: "test" });
  const workerId = await worker(db);
  const capacity = { functions: 9, operators: 9 };
  const { claimed } = await finishAndClaim(db, workerId, [], capacity);
  const { attemptId, token } = claimed[0] as ClaimedTask;
  const outcome = { attemptId, token, ...success([1, 2, 3, 4]) };
  t.is((await finishAndClaim(db, workerId, [outcome], capacity)).claimed.length, 2);
  t.is((await finishAndClaim(db, workerId, [], capacity)).claimed.length, 0);
});

test("higher priority goes first, and a full limit does not hold up what is behind it", async (t) => {
  const db = await testDatabase(t);
  await deploy(
    db,
    dagSpec("d", [
      { id: "low" },
      { id: "high", priority: 9 },
      { id: "spark1", pool: "spark", priority: 99 },
      { id: "spark2", pool: "spark", priority: 99 },
    ]),
  );
  await createRun(db, { dagId: "d", by: "test" });
  const { claimed } = await finishAndClaim(db, await worker(db), [], { functions: 9, operators: 0 });
  t.deepEqual(
    claimed.map((task) => task.taskId),
    ["spark1", "high", "low"],
  );
});

test("at most max_active_runs run; the others wait their turn", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }], { maxActiveRuns: 1 }));
  const first = await createRun(db, { dagId: "d", by: "test" });
  const second = await createRun(db, { dagId: "d", by: "test" });
  t.is((await statesOf(db, first.id)).run, "running");
  t.deepEqual(await statesOf(db, second.id), { run: "queued", tasks: { a: "none" } });
});

test("clearing does the chosen tasks and what follows them again, with a count of its own", async (t) => {
  const db = await testDatabase(t);
  const spec = dagSpec("d", [
    { id: "list" },
    { id: "each", kind: "map", mapOver: "list", upstream: ["list"] },
    { id: "end", upstream: ["each"], inputs: { all: "each" } },
    { id: "aside" },
  ]);
  const first = await runOnce(db, spec, (task) => (task.taskId === "list" ? success([1, 2, 3]) : success(task.item)));
  const runId = taskOf(first.ran, "list").runId;
  const preview = await previewClear(db, { dagId: "d", runId, tasks: [{ taskId: "list" }] });
  t.deepEqual(
    preview.affected.map((one) => `${one.taskId} ${one.mapIndex}`),
    ["list -1", "each 0", "each 1", "each 2", "end -1"],
  );
  await clearTasks(db, { dagId: "d", runId, tasks: [{ taskId: "list" }] });
  t.is((await statesOf(db, first.key)).run, "running");
  await t.throwsAsync(clearTasks(db, { dagId: "d", runId, tasks: [{ taskId: "list" }] }), { code: "CONFLICT" });
  const again = await work(db, (task) => (task.taskId === "list" ? success([7, 8]) : success(task.item)));
  t.deepEqual(taskOf(again, "end").inputs, { all: [7, 8] });
  t.is(taskOf(again, "list").tryNumber, 2);
  t.deepEqual(await statesOf(db, first.key), {
    run: "success",
    tasks: {
      list: "success",
      "each[0]": "success",
      "each[1]": "success",
      "each[2]": "removed",
      end: "success",
      aside: "success",
    },
  });
  const only = await clearTasks(db, { dagId: "d", runId, tasks: [{ taskId: "each", mapIndex: 1 }], relatives: "none" });
  t.is(only.affected.length, 1);
  t.is((await work(db, () => success())).length, 1);
  t.is((await statesOf(db, first.key)).run, "success");
});

test("the same spec and bundle are the same version; a run keeps its own", async (t) => {
  const db = await testDatabase(t);
  const spec = dagSpec("d", [{ id: "a" }]);
  t.deepEqual((await deploy(db, spec)).changed, ["d"]);
  t.deepEqual((await deploy(db, spec)).changed, []);
  await createRun(db, { dagId: "d", by: "test" });
  const code = "export default 2;";
  t.deepEqual((await storeVersions(db, [fileOf("dags/test.ts", [spec], code)])).changed, ["d"]);
  const [task] = await work(db, () => success());
  t.is(await fetchBundle(db, task?.bundleHash as string), "export default 1;");
  t.deepEqual((await db.query("select number from dag_version order by id")).rows, [{ number: 1 }, { number: 2 }]);
});

test("a broken file keeps its last good version; a removed one, or a removed DAG, ends", async (t) => {
  const db = await testDatabase(t);
  const one = fileOf("one.ts", [dagSpec("a", [{ id: "x" }]), dagSpec("b", [{ id: "x" }])]);
  await storeVersions(db, [one, fileOf("two.ts", [dagSpec("c", [{ id: "x" }])])]);
  const error = { code: "DAG_INVALID", message: "no", remedy: "-", line: 3, column: 1 };
  t.deepEqual((await storeVersions(db, [{ file: "one.ts", error }], ["one.ts", "two.ts"])).broken, ["one.ts"]);
  const active = async () =>
    (await db.query<{ dag_id: string }>("select dag_id from dag where active order by 1")).rows.map(
      (row) => row.dag_id,
    );
  t.deepEqual(await active(), ["a", "b", "c"]);
  t.is((await db.query("select line from import_error")).rows[0]?.line, 3);
  const taken = await storeVersions(
    db,
    [fileOf("three.ts", [dagSpec("c", [{ id: "y" }])])],
    ["one.ts", "two.ts", "three.ts"],
  );
  t.deepEqual(taken.broken, ["three.ts"]);
  await storeVersions(db, [fileOf("one.ts", [dagSpec("a", [{ id: "x" }])])], ["one.ts"]);
  t.deepEqual(await active(), ["a"]);
  t.is((await db.query("select from import_error")).rowCount, 0);
});

test("params are defaults overlaid with the run's conf, and checked", async (t) => {
  const db = await testDatabase(t);
  const params = {
    type: "object",
    properties: { region: { type: "string", default: "eu" }, n: { type: "number", default: 1 } },
  };
  await deploy(db, dagSpec("d", [{ id: "a" }], { params }));
  await createRun(db, { dagId: "d", by: "test", conf: { n: 2 } });
  const [task] = await work(db, () => success());
  t.deepEqual(task?.params, { region: "eu", n: 2 });
  await t.throwsAsync(createRun(db, { dagId: "d", by: "test", conf: { n: "x" } }), { code: "PARAMS_INVALID" });
  await t.throwsAsync(createRun(db, { dagId: "absent", by: "test" }), { code: "NOT_FOUND" });
  await createRun(db, { dagId: "d", runId: "same", by: "test" });
  await t.throwsAsync(createRun(db, { dagId: "d", runId: "same", by: "test" }), { code: "CONFLICT" });
});

test("history has every move once: what it adds up to is the present", async (t) => {
  const db = await testDatabase(t);
  const spec = dagSpec("d", [{ id: "a" }, { id: "b", upstream: ["a"] }, { id: "c", upstream: ["b"] }]);
  await runOnce(db, spec, ({ taskId }) => (taskId === "b" ? FAILED : success()));
  const rows = await db.query(
    `select t.task_id, array_agg(e.from_state || '>' || e.to_state order by e.at) as moves from task_event e
     join task_instance t on t.id = e.task_instance_id group by t.task_id order by 1`,
  );
  t.deepEqual(
    rows.rows.map((row) => row.moves),
    [
      ["none>queued", "queued>running", "running>success"],
      ["none>queued", "queued>running", "running>failed"],
      ["none>upstream_failed"],
    ],
  );
});
