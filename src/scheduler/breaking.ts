/** Which changes of DAGs break something that runs, or somebody who relies on them. Pure. */
import { checkParams } from "../dag/params.ts";
import type { DagSpec, Json } from "../dag/spec.ts";
import { emitsOf, readsOf, without } from "../dag/spec-diff.ts";
import type { DeployedDag } from "../metadata/views/deployed-view.ts";
import type { BrokenFile, CandidateDag, DagChange } from "./deploy-types.ts";

/** What is broken: see docs/dags.md. */
export type BreakingRule =
  | "file_broken"
  | "dag_removed"
  | "task_removed"
  | "param_removed"
  | "param_required"
  | "param_narrowed"
  | "schedule_kind"
  | "dataset_removed";

/** A change that breaks something. */
export interface BreakingChange {
  readonly rule: BreakingRule;
  /** Empty where a file is broken. */
  readonly dagId: string;
  readonly file: string;
  readonly message: string;
}

interface Given {
  readonly deployed: readonly DeployedDag[];
  readonly candidates: readonly CandidateDag[];
  readonly broken: readonly BrokenFile[];
  readonly gone: readonly DeployedDag[];
  readonly changes: readonly DagChange[];
}

/** What a deployment breaks. */
export function breakingChanges(given: Given): BreakingChange[] {
  const before = new Map(given.deployed.map((dag) => [dag.dagId, dag]));
  const after = specsAfter(given);
  const found = [
    ...given.broken.map(({ file, message }): BreakingChange => ({ rule: "file_broken", dagId: "", file, message })),
    ...given.gone.flatMap((dag) => ofRemoved(dag, after)),
    ...given.changes.flatMap((change) => ofChanged(change, before.get(change.dagId), after)),
    ...ofDatasets(given, after),
  ];
  return found;
}

/** Every DAG there is once it is deployed. */
function specsAfter({ deployed, candidates, gone }: Given): Map<string, DagSpec> {
  const after = new Map(deployed.map(({ dagId, spec }) => [dagId, spec]));
  for (const { dagId } of gone) after.delete(dagId);
  for (const { spec } of candidates) after.set(spec.dagId, spec);
  return after;
}

function ofRemoved({ dagId, file, activeRuns }: DeployedDag, after: ReadonlyMap<string, DagSpec>): BreakingChange[] {
  const found: BreakingChange[] = [];
  const add = (message: string) => found.push({ rule: "dag_removed", dagId, file, message });
  if (activeRuns > 0)
    add(`DAG ${dagId} goes while ${activeRuns === 1 ? "a run of it is" : `${activeRuns} runs of it are`} active`);
  for (const waiter of waitingFor(after, dagId, null)) add(`DAG ${dagId} goes, for which ${waiter} waits`);
  return found;
}

function ofChanged(
  { dagId, file, diff }: DagChange,
  before: DeployedDag | undefined,
  after: ReadonlyMap<string, DagSpec>,
): BreakingChange[] {
  const spec = after.get(dagId);
  if (diff === null || before === undefined || spec === undefined) return [];
  const found: BreakingChange[] = [];
  const add = (rule: BreakingRule, message: string) => found.push({ rule, dagId, file, message });
  for (const task of diff.tasks.removed) {
    if (before.unfinishedTasks.includes(task))
      add("task_removed", `task ${task} goes while a run that has it is active`);
    for (const waiter of waitingFor(after, dagId, task))
      add("task_removed", `task ${task} goes, for which ${waiter} waits`);
  }
  for (const param of diff.params.removed)
    add("param_removed", `param ${param} goes: whoever gives it is refused, or not heard`);
  for (const param of diff.params.required) add("param_required", `param ${param} must be given now`);
  for (const param of diff.params.narrowed) add("param_narrowed", `param ${param} no longer takes all it took`);
  if (spec.schedule !== null && needsParams(spec) && !needsParams(before.spec)) {
    add("param_required", "its scheduled runs cannot be made: params have no default");
  }
  if (diff.schedule === "kind")
    add("schedule_kind", `its schedule is of another kind: ${kindOf(before.spec)} before, now ${kindOf(spec)}`);
  return found;
}

function kindOf({ schedule }: DagSpec): string {
  return schedule?.kind ?? "by hand";
}

function needsParams(spec: DagSpec): boolean {
  try {
    checkParams(spec, {});
    return false;
  } catch {
    return true;
  }
}

/** Datasets that somebody emitted and nobody will, though a DAG reads or waits for them. */
function ofDatasets({ deployed, changes }: Given, after: ReadonlyMap<string, DagSpec>): BreakingChange[] {
  const concerned = new Set(changes.map((change) => change.dagId));
  const emitted = new Set([...after.values()].flatMap((spec) => [...emitsOf(spec)]));
  const found: BreakingChange[] = [];
  for (const { dagId, file, spec } of deployed) {
    if (!concerned.has(dagId)) continue;
    for (const dataset of without(emitsOf(spec), emitted)) {
      const readers = [...after.values()].filter((other) => other.dagId !== dagId && readsOf(other).has(dataset));
      for (const reader of readers) {
        const message = `nothing emits ${dataset} any more, which ${reader.dagId} reads`;
        found.push({ rule: "dataset_removed", dagId, file, message });
      }
    }
  }
  return found;
}

/** Tasks of other DAGs that wait for a DAG, or (`task`) for one of its tasks, as `dag.task`. */
function waitingFor(after: ReadonlyMap<string, DagSpec>, dagId: string, task: string | null): string[] {
  return [...after.values()].flatMap((spec) =>
    spec.tasks.flatMap(({ taskId, operator }) => {
      if (spec.dagId === dagId || operator?.name !== "task_sensor") return [];
      const config = operator.config as { [key: string]: Json };
      return config.dag === dagId && (task === null || config.task === task) ? [`${spec.dagId}.${taskId}`] : [];
    }),
  );
}
