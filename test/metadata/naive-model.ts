/**
 * How a run ends, by definition: Airflow's rules applied to final states, in topological order, with no notion of time. What it
 * says holds for every order in which tasks may end.
 */
import type { TriggerRule } from "../../src/dag/spec.ts";

/** How a task, or an item of a map, ends when it runs. */
export type Ending = "success" | "fail" | "skip";

/** One task; an upstream has a lower position. */
export interface NaiveTask {
  readonly id: string;
  readonly upstream: readonly string[];
  readonly rule: TriggerRule;
  readonly kind: "function" | "branch" | "shortCircuit" | "map";
  readonly role: "work" | "setup" | "teardown";
  /** Of the task, or of its items in order. What is mapped over returns an array as long as this of its mapper. */
  readonly endings: readonly Ending[];
  /** Branch: ids it chooses. */
  readonly chooses: readonly string[];
  /** Short circuit: whether it lets the rest go on. */
  readonly proceeds: boolean;
  /** Map: what it maps over. */
  readonly over: string | null;
}

type State = "success" | "failed" | "skipped" | "upstream_failed";

/** States of a task's instances; one that is not expanded has one, and `expanded` is false. */
export interface NaiveResult {
  readonly states: readonly State[];
  readonly expanded: boolean;
}

/** The states a run ends in, by task id. */
export function naiveStates(tasks: readonly NaiveTask[]): Map<string, NaiveResult> {
  const results = new Map<string, NaiveResult>();
  for (const task of tasks) results.set(task.id, resultOf(task, tasks, results));
  return results;
}

function resultOf(
  task: NaiveTask,
  tasks: readonly NaiveTask[],
  results: ReadonlyMap<string, NaiveResult>,
): NaiveResult {
  const single = (state: State): NaiveResult => ({ states: [state], expanded: false });
  const isTeardown = task.role === "teardown";
  if (task.rule !== "always" && !isTeardown && isLeftOut(task, tasks, results)) return single("skipped");
  const of = (id: string) => results.get(id) as NaiveResult;
  const over = tasks.find(({ id }) => id === task.over);
  if (over?.kind === "map" && of(over.id).expanded) {
    const others = task.upstream.filter((id) => id !== over.id).flatMap((id) => of(id).states);
    const states = of(over.id).states.map((state, i) => {
      const verdict = verdictOf(task.rule, [state, ...others]);
      return verdict === "run" ? endState(task.endings[i % task.endings.length] as Ending) : verdict;
    });
    return { states, expanded: true };
  }
  const upstream = task.upstream.flatMap((id) => of(id).states);
  const setups = task.upstream.filter((id) => tasks.some((other) => other.id === id && other.role === "setup"));
  const verdict = isTeardown ? teardownVerdict(setups.map((id) => of(id).states[0])) : verdictOf(task.rule, upstream);
  if (verdict !== "run") return single(verdict);
  if (over === undefined) return single(endState(task.endings[0] as Ending));
  if (over.kind === "map" || of(over.id).states[0] !== "success") return single("upstream_failed");
  if (task.endings.length === 0) return single("skipped");
  return { states: task.endings.map(endState), expanded: true };
}

function teardownVerdict(setups: readonly (State | undefined)[]): State | "run" {
  if (setups.length === 0 || setups.includes("success")) return "run";
  return setups.every((state) => state === "skipped") ? "skipped" : "upstream_failed";
}

function endState(ending: Ending): State {
  return ending === "fail" ? "failed" : ending === "skip" ? "skipped" : "success";
}

function isLeftOut(task: NaiveTask, tasks: readonly NaiveTask[], results: ReadonlyMap<string, NaiveResult>): boolean {
  const decided = (one: NaiveTask) => results.get(one.id)?.states[0] === "success";
  return tasks.some((other) => {
    if (other.kind === "shortCircuit") return !other.proceeds && descends(task, other, tasks) && decided(other);
    if (other.kind !== "branch" || !task.upstream.includes(other.id) || !decided(other)) return false;
    const leads = other.chooses.some(
      (id) => id === task.id || descends(task, tasks.find((one) => one.id === id) as NaiveTask, tasks),
    );
    return !leads;
  });
}

function descends(task: NaiveTask, from: NaiveTask, tasks: readonly NaiveTask[]): boolean {
  return task.upstream.some(
    (id) => id === from.id || descends(tasks.find((one) => one.id === id) as NaiveTask, from, tasks),
  );
}

function verdictOf(rule: TriggerRule, upstream: readonly State[]): State | "run" {
  if (upstream.length === 0) return "run";
  const is =
    (...states: State[]) =>
    (state: State) =>
      states.includes(state);
  const bad = is("failed", "upstream_failed");
  const skipped = is("skipped");
  const success = is("success");
  switch (rule) {
    case "all_success":
      return upstream.every(success) ? "run" : upstream.some(bad) ? "upstream_failed" : "skipped";
    case "all_failed":
      return upstream.every(bad) ? "run" : "skipped";
    case "all_done":
    case "always":
      return "run";
    case "all_done_min_one_success":
      if (upstream.some(skipped)) return "skipped";
      return upstream.some(success) ? "run" : "upstream_failed";
    case "all_skipped":
      return upstream.every(skipped) ? "run" : "skipped";
    case "one_success":
      return upstream.some(success) ? "run" : upstream.every(skipped) ? "skipped" : "upstream_failed";
    case "one_failed":
      return upstream.some(bad) ? "run" : "skipped";
    case "one_done":
      return upstream.some(is("success", "failed")) ? "run" : "skipped";
    case "none_failed":
      return upstream.some(bad) ? "upstream_failed" : "run";
    case "none_failed_min_one_success":
      if (upstream.some(bad)) return "upstream_failed";
      return upstream.some(success) ? "run" : "skipped";
    case "none_skipped":
      return upstream.some(skipped) ? "skipped" : "run";
  }
}
