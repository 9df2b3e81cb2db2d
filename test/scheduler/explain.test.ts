import test from "ava";
import type { Database } from "../../src/metadata/database.ts";
import { cancelRun, createRun, pauseDag } from "../../src/metadata/runs.ts";
import { finishAndClaim } from "../../src/metadata/work.ts";
import { explainDag, explainRun } from "../../src/scheduler/explain.ts";
import { Look } from "../../src/scheduler/scheduler.ts";
import { dagSpec, deploy, FAILED, success, work, worker } from "../metadata/fixtures.ts";
import { testDatabase } from "../support/database.ts";

const MANY = { functions: 9, operators: 9 };

async function dagCodes(db: Database, dagId = "d"): Promise<string[]> {
  return (await explainDag(db, dagId)).reasons.map(({ code }) => code);
}

/** Codes of a run, and of each of its tasks. */
async function codes(db: Database, runId = "r") {
  const { reasons, tasks } = await explainRun(db, "d", runId);
  const ofTasks = tasks.map((one) => [one.task_id, ...one.reasons.map(({ code }) => code)].join(" "));
  return { run: reasons.map(({ code }) => code), tasks: ofTasks };
}

test("a DAG without a schedule, a paused one, one whose file is broken or gone, one that is not there", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }]));
  t.deepEqual(await dagCodes(db), ["no_schedule"]);
  await pauseDag(db, "d");
  await db.query(
    "insert into import_error (file, code, message, remedy, line) values ('dags/test.ts', 'DAG_INVALID', 'no', '-', 7)",
  );
  await db.query("update dag set active = false");
  const { summary, reasons } = await explainDag(db, "d");
  t.deepEqual(
    reasons.map(({ code }) => code),
    ["inactive", "import_error", "paused", "no_schedule"],
  );
  t.is(summary, "no DAG file holds d any more");
  t.regex(reasons[1]?.message ?? "", /dags\/test\.ts:7: no/);
  await t.throwsAsync(explainDag(db, "nope"), { code: "NOT_FOUND" });
});

test("a clock schedule tells the next tick, and which runs leave no room for it", async (t) => {
  const db = await testDatabase(t);
  const schedule = { kind: "cron", expression: "0 0 1 1 *", timezone: "UTC" } as const;
  await deploy(db, dagSpec("d", [{ id: "a" }], { schedule, maxActiveRuns: 1 }));
  t.deepEqual(await dagCodes(db), ["planning"]);
  await new Look(db, "host").once();
  const next = (await explainDag(db, "d")).reasons[0];
  t.is(next?.code, "next_tick");
  t.is(next?.at?.getUTCMonth(), 0);
  await createRun(db, { dagId: "d", runId: "r", by: "test" });
  const { reasons } = await explainDag(db, "d");
  t.deepEqual(reasons[0]?.details, { runs: ["r"], limit: 1 });
  t.is(reasons[0]?.code, "max_active_runs");
  await db.query("update dag set next_run_after = null");
  t.deepEqual(await dagCodes(db), ["max_active_runs", "schedule_over"]);
});

test("a dataset schedule names the datasets without a new event", async (t) => {
  const db = await testDatabase(t);
  const condition = { all: [{ dataset: "x" }, { dataset: "y" }] };
  await deploy(
    db,
    dagSpec("d", [{ id: "a" }], { schedule: { kind: "datasets", condition, consume: "pending" } }),
    dagSpec("p", [{ id: "make", emits: ["x"] }]),
  );
  t.deepEqual((await explainDag(db, "d")).reasons[0]?.details, { missing: ["x", "y"], fresh: [] });
  await createRun(db, { dagId: "p", by: "test" });
  await work(db, () => ({ ...success(), events: [{ dataset: "x", key: "1" }] }));
  const { summary } = await explainDag(db, "d");
  t.is(summary, "it waits for a new event of y");
  await db.query("insert into dataset_event (dataset, key) values ('y', '1')");
  t.deepEqual(await dagCodes(db), ["dataset_events_ready"]);
});

test("a queued run: paused, its time, the runs before it, the runs that leave no room", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }], { maxActiveRuns: 1 }));
  await createRun(db, { dagId: "d", runId: "first", by: "test" });
  await createRun(db, { dagId: "d", runId: "second", by: "test" });
  await createRun(db, { dagId: "d", runId: "r", by: "test" });
  t.deepEqual((await codes(db)).run, ["max_active_runs", "runs_ahead"]);
  t.deepEqual((await explainRun(db, "d", "r")).reasons[0]?.message, "at most 1 runs at once: first");
  await pauseDag(db, "d");
  t.is((await codes(db)).run[0], "paused");
  t.deepEqual((await codes(db)).tasks, ["a run_not_started paused max_active_runs runs_ahead"]);
  const runAfter = new Date(Date.now() + 3_600_000);
  await createRun(db, { dagId: "d", runId: "later", runAfter, by: "test" });
  const later = (await explainRun(db, "d", "later")).reasons.find(({ code }) => code === "run_after");
  t.deepEqual(later?.at, runAfter);
});

test("tasks: upstream, no worker, pool full, limits, who is ahead, retry, cancelled", async (t) => {
  const db = await testDatabase(t);
  const retry = { retries: 1, delayMs: 60_000, factor: 1, maxMs: 60_000, jitter: "none" } as const;
  await deploy(
    db,
    dagSpec(
      "d",
      [
        { id: "a", priority: 9, pool: "spark", retry },
        { id: "b", upstream: ["a"] },
        { id: "c", pool: "spark" },
        { id: "e", pool: "nowhere" },
        { id: "f", pool: "spark", poolSlots: 2 },
      ],
      { maxActiveTasks: 1 },
    ),
  );
  await createRun(db, { dagId: "d", runId: "r", by: "test" });
  t.deepEqual((await codes(db)).tasks, [
    "a no_worker",
    "b upstream",
    "c no_worker",
    "e pool_unknown no_worker",
    "f pool_too_small no_worker",
  ]);
  const workerId = await worker(db, "box");
  t.deepEqual((await codes(db)).tasks.slice(0, 3), ["a workers_busy", "b upstream", "c priority workers_busy"]);
  const [a] = (await finishAndClaim(db, workerId, [], MANY)).claimed;
  t.is(a?.taskId, "a");
  t.deepEqual((await codes(db)).tasks.slice(0, 3), ["a running", "b upstream", "c pool_full max_active_tasks"]);
  const explained = await explainRun(db, "d", "r", { taskId: "c" });
  t.is(explained.summary, "1 of 1 slots of pool spark are taken by d r a");
  t.is((await explainRun(db, "d", "r", { taskId: "b" })).summary, "it waits for a (running)");
  const outcome = { attemptId: a?.attemptId as string, token: a?.token as string, ...FAILED };
  await finishAndClaim(db, workerId, [outcome], { functions: 0, operators: 0 });
  const retried = (await explainRun(db, "d", "r", { taskId: "a" })).tasks[0];
  t.is(retried?.reasons[0]?.code, "retry_at");
  t.true((retried?.reasons[0]?.at?.getTime() ?? 0) > Date.now());
  await finishAndClaim(db, workerId, [], MANY);
  await cancelRun(db, "d", "r");
  t.deepEqual(await codes(db), { run: ["cancelled"], tasks: ["c cancelled"] });
  t.is((await explainRun(db, "d", "r", { taskId: "b" })).tasks[0]?.reasons[0]?.code, "ended");
  await t.throwsAsync(explainRun(db, "d", "r", { taskId: "nope" }), { code: "NOT_FOUND" });
  await t.throwsAsync(explainRun(db, "d", "nope"), { code: "NOT_FOUND" });
});

test("deadlines are told beside what holds something up", async (t) => {
  const db = await testDatabase(t);
  const deadline = { afterMs: 3_600_000, from: "runStart", notify: [] } as const;
  await deploy(
    db,
    dagSpec("d", [{ id: "a", deadline: { ...deadline, notify: [] } }], { deadline: { ...deadline, notify: [] } }),
  );
  await createRun(db, { dagId: "d", runId: "r", by: "test" });
  t.deepEqual(await codes(db), { run: ["deadline"], tasks: ["a no_worker deadline"] });
  const { summary } = await explainRun(db, "d", "r");
  t.is(summary, "no worker is alive: start one");
  await db.query("update deadline set due_at = now() - interval '1 hour'");
  t.regex((await explainRun(db, "d", "r")).reasons[0]?.message ?? "", /^it is late/);
});

test("a task's own limits, and the state of many mapped items in one line each", async (t) => {
  const db = await testDatabase(t);
  await deploy(
    db,
    dagSpec("d", [{ id: "list" }, { id: "each", kind: "map", mapOver: "list", upstream: ["list"], maxActive: 1 }]),
  );
  await createRun(db, { dagId: "d", runId: "r", by: "test" });
  const workerId = await worker(db);
  const [list] = (await finishAndClaim(db, workerId, [], MANY)).claimed;
  const outcome = { attemptId: list?.attemptId as string, token: list?.token as string, ...success([1, 2, 3, 4]) };
  await finishAndClaim(db, workerId, [outcome], MANY);
  const { tasks } = await explainRun(db, "d", "r");
  t.deepEqual(
    tasks.map((one) => [one.state, one.count, one.reasons[0]?.code]),
    [
      ["running", 1, "running"],
      ["queued", 1, "task_max_active"],
      ["scheduled", 2, "map_window"],
    ],
  );
});
