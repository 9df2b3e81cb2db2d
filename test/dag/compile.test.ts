import test from "ava";
import { z } from "zod";
import { checkParams } from "../../src/dag/params.ts";
import { encodeConfig } from "../../src/dag/tokens.ts";
import {
  all,
  any,
  cron,
  cronInterval,
  type DagBuilder,
  dag,
  dataset,
  defineOperator,
  onDatasets,
} from "../../src/index.ts";

const copySchema = z.object({ from: z.unknown(), to: z.string() });
const copy = defineOperator<{ rows: number }, typeof copySchema>("copy", copySchema, {
  emits: (config) => [config.to],
});
const one = (): number => 1;
const build = (tasks: (t: DagBuilder<unknown>) => void) => dag("d", {}, tasks as never).spec;

test("defaults are what the reference says", (t) => {
  const { tasks, ...spec } = build((b) => b.task("one", one));
  t.deepEqual(spec, {
    format: 1,
    dagId: "d",
    doc: null,
    owner: null,
    tags: [],
    schedule: null,
    start: null,
    end: null,
    catchup: "none",
    maxActiveRuns: 16,
    maxActiveTasks: 16,
    params: null,
    datasets: [],
  });
  const [{ line, ...task }] = tasks as [(typeof tasks)[0]];
  t.true(Number(line) > 10);
  t.deepEqual(task, {
    taskId: "one",
    index: 0,
    kind: "function",
    operator: null,
    inputs: {},
    upstream: [],
    downstream: [],
    mapOver: null,
    branchTargets: {},
    rule: "all_success",
    retry: { retries: 0, delayMs: 1000, factor: 2, maxMs: 300_000, jitter: "none" },
    timeoutMs: null,
    pool: "default_pool",
    poolSlots: 1,
    priority: 0,
    maxActive: null,
    reads: [],
    emits: [],
    doc: null,
  });
});

test("edges come from in, after, what is mapped over, branches and references; order is topological", (t) => {
  const { tasks } = build((b) => {
    const target = b.task("target", one);
    const list = b.task("list", () => [1]);
    const each = b.map(
      "each",
      list,
      { retries: 2, retryDelay: "PT1M30S", backoff: { jitter: "full" }, timeout: "2h" },
      (n) => n,
    );
    const copied = b.task("copied", copy({ from: each.output, to: "lake.copy" }), { after: [target] });
    b.branch("choose", { in: { list }, to: { yes: target } }, () => "yes");
    b.task(
      "last",
      { in: { copied }, after: [each, copied], rule: "all_done", emits: [dataset("lake.last", { owner: "me" })] },
      () => {},
    );
  });
  const byId = Object.fromEntries(tasks.map((task) => [task.taskId, task]));
  t.deepEqual(Object.fromEntries(tasks.map((task) => [task.taskId, task.upstream])), {
    list: [],
    each: ["list"],
    choose: ["list"],
    target: ["choose"],
    copied: ["target", "each"],
    last: ["copied", "each"],
  });
  t.true(tasks.every((task, i) => task.index === i && task.upstream.every((up) => (byId[up]?.index as number) < i)));
  t.true(tasks.every((task) => task.downstream.every((down) => byId[down]?.upstream.includes(task.taskId))));
  t.deepEqual(byId.choose?.branchTargets, { yes: "target" });
  t.is(byId.each?.mapOver, "list");
  t.deepEqual(byId.each?.retry, { retries: 2, delayMs: 90_000, factor: 2, maxMs: 300_000, jitter: "full" });
  t.deepEqual(byId.copied?.operator, {
    name: "copy",
    config: { from: { $output: "each", path: [] }, to: "lake.copy" },
  });
  t.deepEqual([byId.copied?.emits, byId.last?.emits], [["lake.copy"], ["lake.last"]]);
});

const WRONG: [string, (t: DagBuilder<unknown>) => void, RegExp][] = [
  [
    "a cycle is named with its path",
    (b) => {
      const late: { ref?: never } = {};
      const after: never[] = [];
      const a = b.task("a", { after }, one);
      const c = b.task("c", { after: [b.task("b", { after: [a] }, one)] }, one);
      after.push((late.ref ?? c) as never);
    },
    /compile\.test\.ts:\d+: tasks form a cycle: a → b → c → a/,
  ],
  [
    "a repeated id",
    (b) => {
      b.task("a", one);
      b.task("a", one);
    },
    /task id a is taken by the task of line \d+/,
  ],
  [
    "a task that depends on itself",
    (b) => {
      const after: never[] = [];
      after.push(b.task("a", { after }, one) as never);
    },
    /tasks form a cycle: a → a/,
  ],
  [
    "an item outside of the map of it",
    (b) => {
      const files = b.task("files", () => [{ path: "/a" }]);
      const other = b.task("other", () => [{ path: "/b" }]);
      const noop = { kind: "operator", name: "noop", reads: [], emits: [] } as const;
      b.map("m", files, { ...noop, config: encodeConfig({ path: b.item(other).path }) } as never);
    },
    /task m: item of other\.path is known only to an operator mapped over other/,
  ],
  [
    "a setup that is no task",
    (b) => b.teardown("a", { setups: [1 as never] }, one),
    /task a: setups\[0\] is not a task/,
  ],
  [
    "a retry policy that says nothing",
    (b) => b.task("a", { retryPolicy: { TypeError: "maybe" as never } }, one),
    /task a: retryPolicy\.TypeError is "maybe"/,
  ],
  [
    "a clock without unit",
    (b) => b.task("a", { queueTimeout: "10" as never }, one),
    /task a: queueTimeout: "10" is no duration/,
  ],
  ["an id that is no id", (b) => b.task("a b", one), /task id "a b" is invalid/],
  [
    "an upstream that is no task",
    (b) => b.task("a", { after: ["b" as never] }, one),
    /task a: after\[0\] is not a task/,
  ],
  ["an input that is no task", (b) => b.task("a", { in: { x: 1 as never } }, one), /task a: in\.x is not a task/],
  ["a map over what is no task", (b) => b.map("a", [1, 2] as never, one), /task a: what it maps over is not a task/],
  [
    "a branch to what is no task",
    (b) => b.branch("a", { to: { x: "y" as never } }, () => "x"),
    /task a: to\.x is not a task/,
  ],
  [
    "a task of another DAG",
    (b) => {
      dag("other", {}, (other) => {
        b.task("a", { after: [other.task("foreign", one)] }, one);
      });
    },
    /task a: after\[0\] is task foreign of another DAG/,
  ],
  [
    "the output of a task of another DAG",
    (b) => {
      dag("other", {}, (other) => {
        b.task("a", copy({ from: other.task("foreign", one).output, to: "x" }));
      });
    },
    /task a: upstream foreign is not a task of DAG d/,
  ],
  ["no function", (b) => b.task("a", {}, undefined as never), /task a has no function/],
  ["an unknown rule", (b) => b.task("a", { rule: "all_good" as never }, one), /rule "all_good" is unknown/],
  [
    "half a retry",
    (b) => b.task("a", { retries: 0.5 }, one),
    /task a: retries 0\.5 is not a whole number of at least 0/,
  ],
  [
    "a pool without slots",
    (b) => b.task("a", { poolSlots: 0 }, one),
    /poolSlots 0 is not a whole number of at least 1/,
  ],
  [
    "a length of time without unit",
    (b) => b.task("a", { timeout: "10" as never }, one),
    /task a: timeout: "10" is no duration/,
  ],
  ["a dataset id that is none", (b) => b.task("a", { emits: ["a b"] }, one), /dataset id "a b" is invalid/],
  ["a task inside a string", (b) => b.task(`after_${b.task("a", one)}`, one), /task a cannot be put inside a string/],
];
for (const [name, tasks, message] of WRONG) {
  test(`refused: ${name}`, (t) => {
    t.throws(() => build(tasks), { code: "DAG_INVALID", message });
  });
}

test("dates are read in the schedule's zone unless they say otherwise", (t) => {
  const cairo = cron("@daily", { timezone: "Africa/Cairo" });
  const startOf = (start: string) => dag("d", { schedule: cairo, start }, () => {}).spec.start;
  t.is(startOf("2026-07-01"), "2026-06-30T21:00:00.000Z");
  t.is(startOf("2026-01-01T02:30"), "2026-01-01T00:30:00.000Z");
  t.is(startOf("2026-01-01T02:30:00+01:00"), "2026-01-01T01:30:00.000Z");
  t.throws(() => startOf("tomorrow"), { message: /start "tomorrow" is no date/ });
  t.throws(() => startOf("2026-02-31T25:00"), { message: /is no date/ });
  t.throws(() => dag("d", { start: "2026-02-01", end: "2026-01-01" }, () => {}), { message: /end is before start/ });
});

test("schedules and datasets are written out", (t) => {
  const orders = dataset("lake.orders", { description: "Orders" });
  const { spec } = dag("d", { schedule: onDatasets(all(orders, any("lake.a", "lake.b"))) }, (b) => {
    b.task("x", { reads: ["lake.orders"], emits: ["lake.c"] }, one);
  });
  t.deepEqual(spec.schedule, {
    kind: "datasets",
    condition: { all: [{ dataset: "lake.orders" }, { any: [{ dataset: "lake.a" }, { dataset: "lake.b" }] }] },
    consume: "pending",
  });
  t.deepEqual(
    spec.datasets.map(({ id, description }) => [id, description]),
    [
      ["lake.orders", "Orders"],
      ["lake.a", null],
      ["lake.b", null],
      ["lake.c", null],
    ],
  );
  t.deepEqual(dag("d", { schedule: onDatasets("lake.a", { consume: "each" }) }, () => {}).spec.schedule, {
    kind: "datasets",
    condition: { dataset: "lake.a" },
    consume: "each",
  });
  t.deepEqual(cronInterval("@daily").spec, { kind: "cronInterval", expression: "@daily", timezone: "UTC" });
  t.throws(() => onDatasets(all("lake.a", "lake.b"), { consume: "each" }), { message: /one dataset or any/ });
  t.throws(() => all(), { message: /all\(\) needs at least one dataset/ });
});

test("params become JSON Schema, and runs are checked against it", (t) => {
  const params = z.object({
    region: z.enum(["eu", "us"]).default("eu"),
    day: z.iso.date().optional(),
    n: z.int().max(5),
  });
  const { spec } = dag("d", { params }, () => {});
  t.deepEqual(checkParams(spec, { n: 2 }), { region: "eu", n: 2 });
  t.deepEqual(checkParams(spec, { n: 2, region: "us", day: "2026-01-31" }), { region: "us", n: 2, day: "2026-01-31" });
  t.throws(() => checkParams(spec, { n: 6 }), { code: "PARAMS_INVALID", message: /DAG d: params\.n: / });
  t.throws(() => checkParams(spec, { n: 1, region: "asia" }), { code: "PARAMS_INVALID", message: /params\.region/ });
  t.throws(() => checkParams(spec, null), { code: "PARAMS_INVALID" });
  t.deepEqual(checkParams({ dagId: "x", params: null }, { anything: [1] }), { anything: [1] });
  t.throws(() => dag("d", { params: z.object({ at: z.date() }) }, () => {}), {
    message: /params cannot be written as JSON Schema/,
  });
});

test("ten thousand tasks compile in a few seconds", (t) => {
  const { tasks } = build((b) => {
    let before = b.task("t0", one);
    for (let i = 1; i < 10_000; i++) before = b.task(`t${i}`, { in: { before } }, ({ before }) => before + 1);
  });
  t.is(tasks.length, 10_000);
  t.is(tasks.at(-1)?.taskId, "t9999");
});

test("clocks, roles and policies reach the spec; what is not set is not there", (t) => {
  const { spec } = dag("d", { timeout: "1h" }, (b) => {
    const make = b.setup("make", { queueTimeout: "1m", startTimeout: "2m" }, one);
    b.teardown("take", { setups: [make] }, one);
    b.teardown("strict", { setups: [make], onFailure: "failRun" }, one);
    b.task("plain", { retryPolicy: { Throttled: { after: "1m" }, "*": "fatal" } }, one);
  });
  t.is(spec.timeoutMs, 3_600_000);
  const byId = Object.fromEntries(spec.tasks.map((task) => [task.taskId, task]));
  t.like(byId.make, { role: "setup", queueTimeoutMs: 60_000, startTimeoutMs: 120_000, rule: "all_success" });
  t.like(byId.take, { role: "teardown", rule: "all_done_setup_success", onFailure: "ignore", upstream: ["make"] });
  t.is(byId.strict?.onFailure, undefined);
  t.deepEqual(byId.plain?.retry.policy, { Throttled: { afterMs: 60_000 }, "*": "fatal" });
  for (const key of ["role", "group", "onFailure", "queueTimeoutMs"]) t.false(key in (byId.plain ?? {}), key);
});
