import test from "ava";
import { dag } from "../../src/dag/dag.ts";
import { Skip } from "../../src/dag/signals.ts";
import { testDag } from "../../src/testing.ts";

test("testDag runs a DAG on a database of its own", async (t) => {
  const declared = dag("tested", {}, (d) => {
    const one = d.task("one", (_, ctx) => ({ at: ctx.logicalDate?.toISOString() ?? null }));
    d.task("two", { in: { one }, rule: "all_done" }, ({ one: outcome }) => outcome.state);
  });
  const [first, second] = await Promise.all([testDag(declared, { logicalDate: "2026-03-01" }), testDag(declared)]);
  t.deepEqual(first, {
    state: "success",
    tasks: { one: "success", two: "success" },
    xcoms: { one: { at: "2026-03-01T00:00:00.000Z" }, two: "success" },
  });
  t.deepEqual(second.xcoms.one, { at: null });
});

test("a mapped task of which some items were skipped and some did their work is a success", async (t) => {
  const declared = dag("items", {}, (d) => {
    const items = d.task("items", () => [0, 1]);
    d.map("some", items, (item) => {
      if (item === 0) throw new Skip("nothing in it");
      return item;
    });
    d.map("none", items, () => {
      throw new Skip("nothing in any");
    });
  });
  t.like(await testDag(declared), { tasks: { items: "success", some: "success", none: "skipped" } });
});
