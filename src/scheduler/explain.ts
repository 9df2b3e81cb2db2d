/** Says why something has not started, and when it will: reads the facts, then decides. */
import type { Sql } from "../metadata/database.ts";
import type { TaskState } from "../metadata/task-states.ts";
import { readDagFacts } from "../metadata/views/explain-dag-view.ts";
import { readRunFacts, readTaskFacts, readWorkerFacts } from "../metadata/views/explain-run-view.ts";
import { dagReasons, type Reason, runReasons, taskReasons } from "./explain-reasons.ts";

/** Why the next run of a DAG is not there. */
export interface DagExplanation {
  readonly dag_id: string;
  /** The first sentence that matters. */
  readonly summary: string;
  readonly reasons: readonly Reason[];
}

/** Why a task, or `count` mapped instances of it in one state, is where it is. */
export interface TaskExplanation {
  readonly task_id: string;
  /** -1 where the task is not mapped; of several instances the first. */
  readonly map_index: number;
  readonly state: TaskState;
  readonly count: number;
  readonly reasons: readonly Reason[];
}

/** Why a run, and each of its tasks that have not ended, is where it is. */
export interface RunExplanation {
  readonly dag_id: string;
  readonly run_id: string;
  readonly state: string;
  readonly summary: string;
  readonly reasons: readonly Reason[];
  readonly tasks: readonly TaskExplanation[];
}

/** Explains a DAG. Throws NOT_FOUND. */
export async function explainDag(sql: Sql, dagId: string): Promise<DagExplanation> {
  const reasons = dagReasons(await readDagFacts(sql, dagId));
  return { dag_id: dagId, summary: summaryOf(reasons), reasons };
}

/** Explains a run with all its tasks that have not ended, or with one task. Throws NOT_FOUND. */
export async function explainRun(
  sql: Sql,
  dagId: string,
  runId: string,
  task?: { readonly taskId: string; readonly mapIndex?: number | undefined },
): Promise<RunExplanation> {
  const run = await readRunFacts(sql, dagId, runId);
  const dag = await readDagFacts(sql, dagId);
  const workers = await readWorkerFacts(sql);
  const tasks = (await readTaskFacts(sql, run, task)).map((facts) => ({
    task_id: facts.taskId,
    map_index: facts.mapIndex,
    state: facts.state,
    count: facts.count,
    reasons: taskReasons(facts, run, dag, workers),
  }));
  const reasons = runReasons(run, dag);
  const ofRun = reasons.some(({ code }) => code !== "deadline") ? reasons : undefined;
  const first = task ? tasks[0]?.reasons : (ofRun ?? tasks.find(isHeldUp)?.reasons);
  const summary = first ? summaryOf(first) : `the run goes on: ${tasks.length} tasks have not ended`;
  return { dag_id: dagId, run_id: runId, state: run.state, summary, reasons, tasks };
}

/** Ready, and not started: of the tasks of a run that goes on the ones that say most. */
function isHeldUp({ state }: TaskExplanation): boolean {
  return state === "queued" || state === "up_for_retry" || state === "deferred";
}

function summaryOf(reasons: readonly Reason[]): string {
  return reasons[0]?.message ?? "nothing holds it up";
}
