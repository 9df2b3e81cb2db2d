import test from "ava";
import { z } from "zod";
import { defineSensor } from "../../src/dag/define-operator.ts";
import { dag, QflowError, type TaskRef } from "../../src/index.ts";
import { taskDefRows } from "../../src/metadata/task-defs.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <_T extends true>(): void => {};

const lane = defineSensor<{ open: string }, z.ZodObject<{ name: z.ZodString }>>(
  "lane",
  z.object({ name: z.string() }),
  {
    reads: (config) => [config.name],
  },
);

test("a sensor is typed by its answer, without what means not yet", (t) => {
  const { spec } = dag("d", {}, (d) => {
    const answer = d.sensor("answer", { every: "10s" }, () => (Date.now() > 0 ? { rows: 1 } : false));
    same<Equal<typeof answer, TaskRef<{ rows: number }>>>();
    const yes = d.sensor("yes", {}, async (): Promise<boolean> => true);
    same<Equal<typeof yes, TaskRef<true>>>();
    const declared = d.sensor("declared", lane({ name: "a" }));
    same<Equal<typeof declared, TaskRef<{ open: string }>>>();
    d.task("all", { in: { answer, declared } }, ({ answer: { rows }, declared: { open } }) => `${rows} ${open}`);
  });
  t.deepEqual(spec.tasks.find((task) => task.taskId === "all")?.upstream, ["answer", "declared"]);
  t.deepEqual(spec.tasks.find((task) => task.taskId === "declared")?.reads, ["a"]);
});

test("pace, growth and timeout have defaults; other tasks have none of them", (t) => {
  const { spec } = dag("d", {}, (d) => {
    d.sensor("plain", {}, () => true);
    d.sensor("grows", lane({ name: "a" }), { every: "10s", exponential: {}, timeout: "2h", onTimeout: "skip" });
    d.sensor("less", lane({ name: "a" }), { every: "2h", exponential: { max: "1h", factor: 3 } });
    d.task("task", () => 1);
  });
  const found = Object.fromEntries(spec.tasks.map(({ taskId, sensor, timeoutMs }) => [taskId, { sensor, timeoutMs }]));
  const minute = 60_000;
  const hour = 60 * minute;
  t.deepEqual(found, {
    plain: { sensor: { everyMs: minute, factor: 1, maxMs: minute, onTimeout: "fail" }, timeoutMs: 7 * 24 * hour },
    grows: { sensor: { everyMs: 10_000, factor: 2, maxMs: hour, onTimeout: "skip" }, timeoutMs: 2 * hour },
    less: { sensor: { everyMs: 2 * hour, factor: 3, maxMs: 2 * hour, onTimeout: "fail" }, timeoutMs: 7 * 24 * hour },
    task: { sensor: undefined, timeoutMs: null },
  });
  t.deepEqual(
    taskDefRows(spec).map((row) => [row.task_id, row.kind, row.lane]),
    [
      ["plain", "sensor", "function"],
      ["grows", "sensor", "wait"],
      ["less", "sensor", "wait"],
      ["task", "function", "function"],
    ],
  );
});

const REFUSED: [string, RegExp, () => unknown][] = [
  [
    "a sensor where a task is declared",
    /task a is given a sensor/,
    () => dag("d", {}, (d) => d.task("a", lane({ name: "a" }) as never)),
  ],
  [
    "a sensor without a function",
    /task a has no function/,
    () => dag("d", {}, (d) => d.sensor("a", {}, undefined as never)),
  ],
  [
    "a pace too short",
    /every 10ms is shorter than 100ms/,
    () => dag("d", {}, (d) => d.sensor("a", { every: "10ms" }, () => true)),
  ],
  ["no time at all", /timeout 0s is no time/, () => dag("d", {}, (d) => d.sensor("a", { timeout: "0s" }, () => true))],
  [
    "an unknown end",
    /onTimeout "wait" is neither/,
    () => dag("d", {}, (d) => d.sensor("a", { onTimeout: "wait" as never }, () => true)),
  ],
  [
    "shrinking pauses",
    /factor 0.5 is less than 1/,
    () => dag("d", {}, (d) => d.sensor("a", { exponential: { factor: 0.5 } }, () => true)),
  ],
];

for (const [name, message, declare] of REFUSED) {
  test(`refused: ${name}`, (t) => {
    const error = t.throws(declare, { instanceOf: QflowError, message });
    t.is((error as QflowError).code, "DAG_INVALID");
  });
}
