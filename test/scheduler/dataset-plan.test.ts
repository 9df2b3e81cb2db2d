import test from "ava";
import type { DatasetCondition } from "../../src/dag/spec.ts";
import { planDatasetRuns, type Waiting } from "../../src/scheduler/dataset-plan.ts";

const A: DatasetCondition = { dataset: "a" };
const B: DatasetCondition = { dataset: "b" };

function waiting(...names: string[]): Waiting[] {
  return names.map((dataset, i) => ({ id: i + 1, dataset, extra: { n: i + 1 } }));
}

function idsOf(runs: ReturnType<typeof planDatasetRuns>): number[][] {
  return runs.map((run) => run.events.map((event) => event.id));
}

test("each: one run an event, oldest first, its extra as conf", (t) => {
  const runs = planDatasetRuns({ condition: A, consume: "each" }, waiting("a", "a", "a"), 2);
  t.deepEqual(idsOf(runs), [[1], [2]]);
  t.deepEqual(
    runs.map((run) => run.conf),
    [{ n: 1 }, { n: 2 }],
  );
});

test("each with any: the oldest of all datasets goes first", (t) => {
  const runs = planDatasetRuns({ condition: { any: [A, B] }, consume: "each" }, waiting("b", "a", "b"), 9);
  t.deepEqual(idsOf(runs), [[1], [2], [3]]);
});

test("each with all: one event of each, as often as that can be had", (t) => {
  const runs = planDatasetRuns({ condition: { all: [A, B] }, consume: "each" }, waiting("a", "a", "b", "a", "b"), 9);
  t.deepEqual(idsOf(runs), [
    [1, 3],
    [2, 5],
  ]);
});

test("pending: everything that waits in one run, once the condition holds", (t) => {
  const all = { condition: { all: [A, B] }, consume: "pending" as const };
  t.deepEqual(planDatasetRuns(all, waiting("a", "a"), 5), []);
  t.deepEqual(idsOf(planDatasetRuns(all, waiting("a", "a", "b"), 5)), [[1, 2, 3]]);
});

test("without room nothing is consumed", (t) => {
  t.deepEqual(planDatasetRuns({ condition: A, consume: "pending" }, waiting("a"), 0), []);
  t.deepEqual(planDatasetRuns({ condition: A, consume: "each" }, waiting("a"), 0), []);
});
