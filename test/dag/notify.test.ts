import test from "ava";
import { type DagOptions, dag } from "../../src/index.ts";

function specOf(options: DagOptions) {
  return dag("d", options, (t) => {
    t.task("a", { deadline: { after: "PT30M" } }, () => 1);
  }).spec;
}

test("deadlines are milliseconds from a known start; by default from the start of the run", (t) => {
  const spec = specOf({ deadline: { after: "2h", from: "logicalDate", notify: ["oncall", "oncall"] } });
  t.deepEqual(spec.deadline, { afterMs: 7_200_000, from: "logicalDate", notify: ["oncall"] });
  t.deepEqual(spec.tasks[0]?.deadline, { afterMs: 1_800_000, from: "runStart", notify: [] });
  t.false("deadline" in specOf({}), "absent where there is none, so that versions stay what they are");
});

test("who is told of what: one or many, each once", (t) => {
  const { notify } = specOf({
    notify: [
      { on: ["runFailed", "taskRetry", "runFailed"], to: "ops" },
      { on: "importError", to: ["a", "b"] },
    ],
  });
  t.deepEqual(notify, [
    { on: ["runFailed", "taskRetry"], to: ["ops"] },
    { on: ["importError"], to: ["a", "b"] },
  ]);
});

test("what is unknown is refused by name, where it was declared", (t) => {
  const wrong: [object, RegExp][] = [
    [{ notify: { on: "runExploded", to: "ops" } }, /notify\.on "runExploded" is unknown/],
    [{ notify: { on: "runFailed", to: "no such/id" } }, /notify\.to "no such\/id" is no id of a connection/],
    [{ deadline: { after: "soon" } }, /deadline\.after: "soon" is no duration/],
    [{ deadline: { after: "1h", from: "noon" } }, /deadline\.from "noon" is unknown/],
    [{ deadline: { after: "1h", notify: [7] } }, /deadline\.notify 7 is no id/],
  ];
  for (const [options, message] of wrong)
    t.throws(() => specOf(options as DagOptions), { code: "DAG_INVALID", message });
});
