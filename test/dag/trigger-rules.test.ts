import { readFileSync } from "node:fs";
import test from "ava";
import fc from "fast-check";
import { TRIGGER_RULES, type TriggerRule } from "../../src/dag/spec.ts";
import { decide, EARLY_RULES, type UpstreamCounts } from "../../src/dag/trigger-rules.ts";
import { type ModelTask, simulate } from "./simulate.ts";

const oracles = process.env.QFLOW_TEST_ORACLES;

if (oracles) {
  const lines = readFileSync(`${oracles}/trigger-rules-airflow.jsonl`, "utf8").trim().split("\n");
  for (const line of lines) {
    const { id, tasks, states, run } = JSON.parse(line) as {
      id: string;
      tasks: ModelTask[];
      states: object;
      run: string;
    };
    test(`ends as Airflow ends it: ${id}`, (t) => {
      for (const pick of [(ids: string[]) => ids[0], (ids: string[]) => ids.at(-1)]) {
        t.deepEqual(simulate(tasks, pick as (ids: string[]) => string), { states, run } as never);
      }
    });
  }
}

const counts = (over: Partial<UpstreamCounts>): UpstreamCounts => ({
  total: 2,
  success: 0,
  failed: 0,
  skipped: 0,
  upstream_failed: 0,
  skip_requested: false,
  ...over,
});

const ENDED: [TriggerRule, Partial<UpstreamCounts>, string][] = [
  ["all_success", { success: 2 }, "run"],
  ["all_success", { success: 1, skipped: 1 }, "skipped"],
  ["all_success", { failed: 1, skipped: 1 }, "upstream_failed"],
  ["all_failed", { failed: 1, upstream_failed: 1 }, "run"],
  ["all_failed", { failed: 1, success: 1 }, "skipped"],
  ["all_done", { failed: 1, skipped: 1 }, "run"],
  ["all_done_min_one_success", { failed: 1, success: 1 }, "run"],
  ["all_done_min_one_success", { success: 1, skipped: 1 }, "skipped"],
  ["all_done_min_one_success", { failed: 2 }, "upstream_failed"],
  ["all_skipped", { skipped: 2 }, "run"],
  ["all_skipped", { skipped: 1, failed: 1 }, "skipped"],
  ["one_success", { skipped: 2 }, "skipped"],
  ["one_success", { skipped: 1, failed: 1 }, "upstream_failed"],
  ["one_success", { success: 1 }, "run"],
  ["one_failed", { success: 2 }, "skipped"],
  ["one_failed", { upstream_failed: 1 }, "run"],
  ["one_done", { failed: 1 }, "run"],
  ["one_done", { skipped: 1, upstream_failed: 1 }, "skipped"],
  ["none_failed", { success: 1, skipped: 1 }, "run"],
  ["none_failed", { success: 1, upstream_failed: 1 }, "upstream_failed"],
  ["none_failed_min_one_success", { success: 1, skipped: 1 }, "run"],
  ["none_failed_min_one_success", { skipped: 2 }, "skipped"],
  ["none_skipped", { failed: 1, success: 1 }, "run"],
  ["none_skipped", { skipped: 1, success: 1 }, "skipped"],
  ["always", {}, "run"],
];
for (const [rule, given, expected] of ENDED) {
  test(`${rule} with ${JSON.stringify(given)} is ${expected}`, (t) => {
    t.is(decide(rule, counts(given)), expected as never);
  });
}

const anyRule = fc.constantFrom(...TRIGGER_RULES);
const four = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3));

test("a decision once made is never taken back by upstreams that end later", (t) => {
  fc.assert(
    fc.property(anyRule, four, four, fc.boolean(), (rule, now, later, skip_requested) => {
      const total = [...now, ...later].reduce((sum, n) => sum + n, 0);
      const [success, failed, skipped, upstream_failed] = now;
      const before = decide(rule, { total, success, failed, skipped, upstream_failed, skip_requested });
      const after = decide(rule, {
        total,
        success: success + later[0],
        failed: failed + later[1],
        skipped: skipped + later[2],
        upstream_failed: upstream_failed + later[3],
        skip_requested,
      });
      return before === "wait" ? after !== "wait" : before === after;
    }),
  );
  t.pass();
});

test("only the early rules decide before every upstream has ended", (t) => {
  fc.assert(
    fc.property(anyRule, four, (rule, [success, failed, skipped, upstream_failed]) => {
      const total = success + failed + skipped + upstream_failed + 1;
      const decision = decide(rule, { total, success, failed, skipped, upstream_failed, skip_requested: false });
      return decision === "wait" || (decision === "run" && EARLY_RULES.has(rule));
    }),
  );
  t.pass();
});

test("without branches and early rules, how a run ends never depends on the order of finishing", (t) => {
  const task = fc.record({
    rule: fc.constantFrom(...TRIGGER_RULES.filter((rule) => !EARLY_RULES.has(rule))),
    outcome: fc.constantFrom("success" as const, "fail" as const, "skip" as const),
    upstream: fc.array(fc.nat(8), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(task, { minLength: 2, maxLength: 9 }), fc.infiniteStream(fc.nat()), (drawn, picks) => {
      const tasks: ModelTask[] = drawn.map((one, i) => ({
        ...one,
        id: `t${i}`,
        upstream: [...new Set(one.upstream.filter((up) => up < i))].map((up) => `t${up}`),
      }));
      const random = simulate(tasks, (ids) => ids[(picks.next().value as number) % ids.length] as string);
      const first = simulate(tasks, (ids) => ids[0] as string);
      return tasks.every(({ id }) => random.states[id] === first.states[id]) && random.run === first.run;
    }),
  );
  t.pass();
});
