import test from "ava";
import type { ClaimedTask } from "../../src/metadata/work.ts";
import { buildContext } from "../../src/worker/task-context.ts";

const TASK = {
  dagId: "d",
  runId: "r",
  taskId: "t",
  tryNumber: 1,
  mapIndex: -1,
  logicalDate: null,
  interval: null,
  partition: "2026-11-22",
  params: {},
  events: [{ dataset: "lake.a", at: "2026-11-23T00:00:00.000Z", extra: null, partition: "2026-11-22" }],
} as unknown as ClaimedTask;

const PARTS = { log: {}, signal: new AbortController().signal, secrets: {} } as unknown as Parameters<
  typeof buildContext
>[1];

test("a task is told its run's partition and those of its events, and may announce another", (t) => {
  const { context, emitted } = buildContext(TASK, PARTS);
  t.is(context.partition, "2026-11-22");
  t.is(context.events[0]?.partition, "2026-11-22");
  context.emit("lake.b", { partition: "2026-11-23", extra: { rows: 1 } });
  t.deepEqual(emitted, [{ dataset: "lake.b", partition: "2026-11-23", extra: { rows: 1 } }]);
});

test("what is no partition key fails the task by name, before anything is written", (t) => {
  const { context, emitted } = buildContext(TASK, PARTS);
  for (const partition of ["", "x".repeat(251), 7 as unknown as string, null as unknown as string]) {
    t.throws(() => context.emit("lake.b", { partition }), { code: "EVENT_INVALID", message: /lake\.b/ });
  }
  t.deepEqual(emitted, []);
});
