import test from "ava";
import type { DagBuilder } from "../../src/dag/authoring.ts";
import { dag } from "../../src/dag/dag.ts";
import { QflowError } from "../../src/errors.ts";

type Build = (t: DagBuilder<Record<never, never>>) => void;

/** Upstreams by task id. */
function graphOf(build: Build): Record<string, string[]> {
  const { tasks } = dag("d", {}, build).spec;
  return Object.fromEntries(tasks.map(({ taskId, upstream }) => [taskId, upstream.toSorted()]));
}

const noop = () => {};

test("a group puts its id before those of its tasks, at every depth, and is kept", (t) => {
  const { spec } = dag("d", {}, (t) => {
    t.group("load", { doc: "Everything that lands" }, (g) => {
      const first = g.task("first", noop);
      g.group("deep", (inner) => inner.task("second", { after: [first] }, noop));
    });
    t.task("last", noop);
  });
  t.deepEqual(
    spec.tasks.map(({ taskId, group }) => [taskId, group ?? null]),
    [
      ["load.first", "load"],
      ["last", null],
      ["load.deep.second", "load.deep"],
    ],
  );
  t.deepEqual(spec.groups, [
    { groupId: "load", parent: null, doc: "Everything that lands" },
    { groupId: "load.deep", parent: "load", doc: null },
  ]);
});

test("after a group = after all its leaves; a group after something = all its roots are", (t) => {
  const graph = graphOf((t) => {
    const before = t.task("before", noop);
    const group = t.group("g", { after: [before] }, (g) => {
      const a = g.task("a", noop);
      g.task("b", noop);
      g.task("c", { after: [a] }, noop);
    });
    t.task("end", { after: [group] }, noop);
  });
  t.deepEqual(graph, { before: [], "g.a": ["before"], "g.b": ["before"], "g.c": ["g.a"], end: ["g.b", "g.c"] });
});

test("groups come after groups, inside and across groups", (t) => {
  const graph = graphOf((t) => {
    const outer = t.group("o", (o) => {
      const one = o.group("one", (g) => void g.task("x", noop));
      const two = o.group("two", { after: [one] }, (g) => {
        g.task("y", noop);
        g.task("z", noop);
      });
      o.task("w", { after: [two] }, noop);
    });
    const other = t.group("p", { after: [outer] }, (g) => void g.task("x", noop));
    t.task("end", { after: [other, outer] }, noop);
  });
  t.deepEqual(graph, {
    "o.one.x": [],
    "o.two.y": ["o.one.x"],
    "o.two.z": ["o.one.x"],
    "o.w": ["o.two.y", "o.two.z"],
    "p.x": ["o.w"],
    end: ["o.w", "p.x"],
  });
});

test("what a group's function returns is at hand as its refs, typed", (t) => {
  const graph = graphOf((t) => {
    const group = t.group("g", (g) => ({ size: g.task("size", () => 3), rest: g.task("rest", noop) }));
    t.task("use", { in: { size: group.refs.size } }, ({ size }) => size + 1);
  });
  t.deepEqual(graph.use, ["g.size"]);
});

test("teardowns are no leaves of their group", (t) => {
  const graph = graphOf((t) => {
    const group = t.group("g", (g) => {
      const make = g.setup("make", noop);
      const use = g.task("use", { after: [make] }, noop);
      g.teardown("take", { setups: [make], after: [use] }, noop);
    });
    t.task("end", { after: [group] }, noop);
  });
  t.deepEqual(graph["g.take"], ["g.make", "g.use"]);
  t.deepEqual(graph.end, ["g.use"]);
});

const WRONG: [string, Build, RegExp][] = [
  [
    "an empty group as upstream",
    (t) => void t.task("a", { after: [t.group("g", noop)] }, noop),
    /group g has no tasks/,
  ],
  [
    "a task id twice in a group",
    (t) => void t.group("g", (g) => [g.task("a", noop), g.task("a", noop)]),
    /task id g\.a is taken/,
  ],
  ["a group id twice", (t) => void [t.group("g", noop), t.group("g", noop)], /group id g is taken/],
  ["an asynchronous group", (t) => void t.group("g", async () => {}), /group g is asynchronous/],
  [
    "a group after a task in it",
    (t) => {
      const after: never[] = [];
      const group = t.group("g", { after }, (g) => void after.push(g.task("a", noop) as never));
      t.task("b", { after: [group] }, noop);
    },
    /group g cannot come after g\.a: one holds the other/,
  ],
];
for (const [what, build, message] of WRONG) {
  test(`${what} is an error`, (t) => {
    const error = t.throws(() => dag("d", {}, build), { instanceOf: QflowError });
    t.regex(error.message, message);
    t.regex(error.message, /groups\.test\.ts:\d+/);
  });
}
