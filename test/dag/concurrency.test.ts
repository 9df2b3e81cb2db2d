import test from "ava";
import { z } from "zod";
import type { Concurrency } from "../../src/dag/authoring.ts";
import { type DagOptions, dag, defineOperator } from "../../src/index.ts";

const params = z.object({ region: z.string().default("eu") });
const op = defineOperator<{ rows: number }, z.ZodObject<Record<never, never>>>("op", z.object({}));

test("a key is text, a param or a fact of the run; the queue is kept where it is not the default", (t) => {
  const { tasks } = dag("d", { params }, (b) => {
    b.task("a", op({}), { concurrency: { key: b.params.region, limit: 2 }, queue: "heavy" });
    b.task("b", { concurrency: { key: b.run.logicalDate, limit: 1 } }, () => 1);
    b.task("c", { concurrency: { key: "sap", limit: 3 }, queue: "default" }, () => 1);
  }).spec;
  t.deepEqual(
    tasks.map(({ concurrency, queue }) => [concurrency, queue]),
    [
      [{ key: { $param: ["region"] }, limit: 2 }, "heavy"],
      [{ key: { $run: "logicalDate" }, limit: 1 }, undefined],
      [{ key: "sap", limit: 3 }, undefined],
    ],
  );
});

test("a key that is known only later, or is shared with another limit, is refused by name", (t) => {
  const one = (concurrency: Concurrency) => () => dag("d", {}, (b) => void b.task("a", { concurrency }, () => 1));
  t.throws(one({ key: "", limit: 1 }), { message: /task a: concurrency.key/ });
  t.throws(one({ key: "x", limit: 0 }), { message: /limit 0/ });
  t.throws(
    () =>
      dag("d", {}, (b) => {
        const first = b.task("a", op({}));
        b.task("b", { concurrency: { key: first.output.rows, limit: 1 } }, () => 1);
      }),
    { message: /concurrency.key is the output of a.rows/ },
  );
  t.throws(
    () =>
      dag("d", {}, (b) => {
        b.task("a", { concurrency: { key: "x", limit: 1 } }, () => 1);
        b.task("b", { concurrency: { key: "x", limit: 2 } }, () => 1);
      }),
    { message: /tasks a and b have one concurrency.key/ },
  );
  t.throws(() => dag("d", {}, (b) => void b.task("a", { queue: "no good" }, () => 1)), { message: /queue/ });
});

test("the key of a DAG is one of its params", (t) => {
  const { spec } = dag("d", { params, concurrency: { key: "region", limit: 1 } }, () => {});
  t.deepEqual(spec.concurrency, { key: { $param: ["region"] }, limit: 1 });
  const options = { params, concurrency: { key: "nothing", limit: 1 } } as unknown as DagOptions;
  t.throws(() => dag("d", options, () => {}), { message: /none of its params/ });
});
