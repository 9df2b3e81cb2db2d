import test from "ava";
import type { DagSpec } from "../../src/dag/spec.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { type DeployedDag, listDeployed } from "../../src/metadata/views/deployed-view.ts";
import { finishAndClaim } from "../../src/metadata/work.ts";
import { planDeploy } from "../../src/scheduler/deploy-plan.ts";
import { dagSpec, deploy, success, type TaskGiven, worker } from "../metadata/fixtures.ts";
import { testDatabase } from "../support/database.ts";

const NOW = new Date("2026-03-10T12:00:00Z");

function deployed(spec: DagSpec, given: Partial<DeployedDag> = {}): DeployedDag {
  return {
    dagId: spec.dagId,
    file: `${spec.dagId}.ts`,
    spec,
    bundleHash: "one",
    paused: false,
    createdAt: new Date("2026-03-01T00:00:00Z"),
    settledUntil: null,
    activeRuns: 0,
    unfinishedTasks: [],
    now: NOW,
    ...given,
  };
}

/** The plan of replacing everything that is deployed by `after`. */
function planOf(before: readonly DeployedDag[], after: readonly DagSpec[], bundleHash = "one") {
  return planDeploy({
    deployed: before,
    candidates: after.map((spec) => ({ file: `${spec.dagId}.ts`, spec, bundleHash })),
    broken: [],
    concerns: () => true,
    now: NOW,
  });
}

const rules = (plan: ReturnType<typeof planOf>): string[] => plan.breaking.map((one) => `${one.rule} ${one.dagId}`);
const tasks = (...ids: string[]): TaskGiven[] => ids.map((id) => ({ id }));

test("the same files change nothing, in whatever order their JSON comes back", (t) => {
  const spec = dagSpec("d", [
    { id: "a", kind: "operator", operator: { name: "x", config: { b: 1, a: { d: 1, c: 2 } } } },
  ]);
  const shuffled = {
    ...spec,
    tasks: [{ ...spec.tasks[0], operator: { config: { a: { c: 2, d: 1 }, b: 1 }, name: "x" } }],
  } as DagSpec;
  const plan = planOf([deployed(spec)], [shuffled]);
  t.deepEqual(plan, { changes: [], unchanged: 1, breaking: [] });
});

test("tasks, params, datasets, settings and code that change are told one by one", (t) => {
  const before = dagSpec("d", [{ id: "a", emits: ["x"] }, { id: "b" }, { id: "c" }], {
    params: { properties: { n: { type: "number", default: 1 } } },
  });
  const after = dagSpec("d", [{ id: "a", emits: ["y"], pool: "spark" }, { id: "c" }, { id: "e", reads: ["z"] }], {
    params: { properties: { n: { type: "number", default: 1 }, m: { type: "string", default: "" } } },
    maxActiveRuns: 3,
  });
  const [change] = planOf([deployed(before)], [after], "two").changes;
  t.like(change, { change: "changed", code: "changed", shift: null });
  t.deepEqual(change?.diff?.tasks, {
    added: ["e"],
    removed: ["b"],
    changed: [{ taskId: "a", fields: ["emits", "pool"] }],
  });
  t.deepEqual(change?.diff?.params.added, ["m"]);
  t.deepEqual(change?.diff?.emits, { added: ["y"], removed: ["x"] });
  t.deepEqual(change?.diff?.reads, { added: ["z"], removed: [] });
  t.deepEqual(change?.diff?.settings, ["maxActiveRuns"]);
  const [code] = planOf([deployed(before)], [before], "two").changes;
  t.like(code, { change: "changed", code: "changed" });
});

const daily = (expression: string, given: Partial<DagSpec> = {}): DagSpec =>
  dagSpec("d", tasks("a"), { schedule: { kind: "cron", expression, timezone: "UTC" }, ...given });

test("a schedule that shifts tells its next run, and the runs it makes at once unless the DAG is paused", (t) => {
  const before = deployed(daily("0 2 * * *"), { settledUntil: new Date("2026-03-10T02:00:00Z") });
  const [shifted] = planOf([before], [daily("0 5 * * *")]).changes;
  t.like(shifted?.shift, {
    nextBefore: new Date("2026-03-11T02:00:00Z"),
    nextAfter: new Date("2026-03-11T05:00:00Z"),
    created: 1,
    skipped: 0,
  });
  t.deepEqual(
    shifted?.shift?.runs.map((run) => run.logicalDate),
    [new Date("2026-03-10T05:00:00Z")],
  );
  t.is(planOf([{ ...before, paused: true }], [daily("0 5 * * *")]).changes[0]?.shift?.created, 0);
  const all = deployed(daily("0 2 * * *"));
  const catchup = daily("0 2 * * *", { catchup: "all", start: "2026-03-04T00:00:00.000Z" });
  t.is(planOf([all], [catchup]).changes[0]?.shift?.created, 7);
  const added = planOf([], [catchup]);
  t.like(added.changes[0], { change: "added", paused: true });
  t.is(added.changes[0]?.shift?.created, 0, "a new DAG is paused");
  t.deepEqual(added.breaking, []);
});

test("breaking: a DAG that goes while runs are active, or while another's task waits for it", (t) => {
  const gone = dagSpec("gone", tasks("a"));
  const sensor = { name: "task_sensor", config: { dag: "gone", task: "a" } };
  const waiter = dagSpec("waiter", [{ id: "wait", kind: "sensor", operator: sensor }]);
  t.deepEqual(rules(planOf([deployed(gone)], [])), []);
  t.deepEqual(rules(planOf([deployed(gone, { activeRuns: 2 })], [])), ["dag_removed gone"]);
  t.deepEqual(rules(planOf([deployed(gone), deployed(waiter)], [waiter])), ["dag_removed gone"]);
  t.deepEqual(rules(planOf([deployed(gone), deployed(waiter)], [waiter, dagSpec("gone", tasks("b"))])), [
    "task_removed gone",
  ]);
});

test("breaking: a task that goes while a run has it before itself", (t) => {
  const before = dagSpec("d", tasks("a", "b"));
  const after = dagSpec("d", tasks("a"));
  t.deepEqual(rules(planOf([deployed(before, { activeRuns: 1, unfinishedTasks: ["a"] })], [after])), []);
  t.deepEqual(rules(planOf([deployed(before, { activeRuns: 1, unfinishedTasks: ["b"] })], [after])), [
    "task_removed d",
  ]);
});

test("breaking: params that go, become required, or take less", (t) => {
  const of = (properties: Record<string, { [key: string]: unknown }>, required: string[] = []) =>
    dagSpec("d", tasks("a"), { params: { type: "object", properties, required } as DagSpec["params"] });
  const before = [deployed(of({ region: { type: "string", enum: ["eu", "us"] } }))];
  t.deepEqual(rules(planOf(before, [of({})])), ["param_removed d"]);
  t.deepEqual(rules(planOf(before, [of({ region: { type: "string", enum: ["eu", "us"] } }, ["region"])])), [
    "param_required d",
  ]);
  t.deepEqual(rules(planOf(before, [of({ region: { type: "string", enum: ["eu"] } })])), ["param_narrowed d"]);
  t.deepEqual(rules(planOf(before, [of({ region: { type: "number" } })])), ["param_narrowed d"]);
  t.deepEqual(
    rules(planOf(before, [of({ region: { type: "string", enum: ["eu", "us", "asia"] }, n: { type: "number" } })])),
    [],
  );
});

test("breaking: a scheduled DAG whose params come to need a value", (t) => {
  const params = { type: "object", properties: { n: { type: "number" } }, required: ["n"] };
  const found = rules(planOf([deployed(daily("@daily"))], [daily("@daily", { params })]));
  t.deepEqual(new Set(found), new Set(["param_required d"]));
});

test("breaking: another kind of schedule, not another time", (t) => {
  const before = [deployed(daily("@daily"))];
  t.deepEqual(rules(planOf(before, [daily("@hourly")])), []);
  t.deepEqual(rules(planOf(before, [daily("@daily", { schedule: null })])), ["schedule_kind d"]);
});

test("breaking: a dataset that nobody emits any more though another DAG reads or waits for it", (t) => {
  const producer = dagSpec("producer", [{ id: "a", emits: ["lake.x"] }]);
  const silent = dagSpec("producer", tasks("a"));
  const schedule = { kind: "datasets", condition: { dataset: "lake.x" }, consume: "pending" } as const;
  for (const reader of [
    dagSpec("reader", [{ id: "r", reads: ["lake.x"] }]),
    dagSpec("reader", tasks("r"), { schedule }),
  ]) {
    const before = [deployed(producer), deployed(reader)];
    t.deepEqual(rules(planOf(before, [silent, reader])), ["dataset_removed producer"]);
    t.deepEqual(rules(planOf(before, [reader])), ["dataset_removed producer"]);
    t.deepEqual(rules(planOf(before, [silent, reader, dagSpec("other", [{ id: "a", emits: ["lake.x"] }])])), []);
    t.deepEqual(rules(planOf(before, [silent])), [], "the reader goes too");
  }
});

test("breaking: a file that cannot be loaded; its DAGs stay", (t) => {
  const plan = planDeploy({
    deployed: [deployed(dagSpec("d", tasks("a")))],
    candidates: [],
    broken: [{ file: "d.ts", message: "DAG_INVALID: no" }],
    concerns: () => true,
    now: NOW,
  });
  t.deepEqual(plan.changes, []);
  t.like(plan.breaking[0], { rule: "file_broken", file: "d.ts" });
});

test("what is deployed: tasks that active runs have not ended", async (t) => {
  const db = await testDatabase(t);
  await deploy(
    db,
    dagSpec("d", [{ id: "a" }, { id: "b", upstream: ["a"] }, { id: "c", upstream: ["b"] }]),
    dagSpec("idle", tasks("x")),
  );
  await createRun(db, { dagId: "d", by: "test" });
  const workerId = await worker(db);
  const { claimed } = await finishAndClaim(db, workerId, [], { functions: 1, operators: 0 });
  const [task] = claimed;
  if (task)
    await finishAndClaim(db, workerId, [{ attemptId: task.attemptId, token: task.token, ...success() } as never], {
      functions: 0,
      operators: 0,
    });
  const found = await listDeployed(db);
  t.deepEqual(
    found.map((dag) => [dag.dagId, dag.activeRuns, [...dag.unfinishedTasks]]),
    [
      ["d", 1, ["b", "c"]],
      ["idle", 0, []],
    ],
  );
});
