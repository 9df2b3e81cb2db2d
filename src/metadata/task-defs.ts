/** Rows of `task_def` from a compiled DAG: what scheduling and claiming need, one row a task. */

import { gatesOf } from "../dag/gates.ts";
import type { DagSpec, TaskSpec } from "../dag/spec.ts";
import { tokensIn } from "../dag/tokens.ts";

/** A row of `task_def` without its version, and the task's upstreams. */
export interface TaskDefRow extends Readonly<Record<string, unknown>> {
  readonly task_index: number;
  readonly upstream_indexes: readonly number[];
}

/** One row a task, in topological order. */
export function taskDefRows(spec: DagSpec): TaskDefRow[] {
  const indexOf = new Map(spec.tasks.map((task) => [task.taskId, task.index]));
  const gates = gatesOf(spec.tasks);
  const leaves = leavesOf(spec.tasks);
  const maps = new Set(spec.tasks.filter(({ mapOver }) => mapOver !== null).map(({ taskId }) => taskId));
  return spec.tasks.map((task) => ({
    ...taskDefRow(task, (taskId) => indexOf.get(taskId) as number),
    is_leaf: leaves.has(task.taskId),
    gate_count: gates.get(task.index)?.length ?? 0,
    gate_indexes: gates.get(task.index) ?? [],
    // The map that it follows item by item.
    follows_index: task.mapOver !== null && maps.has(task.mapOver) ? (indexOf.get(task.mapOver) as number) : null,
  }));
}

function intervalOf(ms: number | undefined): string | null {
  return ms === undefined ? null : `${ms} milliseconds`;
}

/** Tasks that decide how a run ends: those with no downstream, teardowns whose failure is ignored left out, as in Airflow. */
function leavesOf(tasks: readonly TaskSpec[]): Set<string> {
  const counting = tasks.filter(({ onFailure }) => onFailure !== "ignore");
  const above = new Set(counting.flatMap(({ upstream }) => upstream));
  return new Set(counting.map(({ taskId }) => taskId).filter((taskId) => !above.has(taskId)));
}

function taskDefRow(task: TaskSpec, indexOf: (taskId: string) => number): TaskDefRow {
  return {
    task_index: task.index,
    task_id: task.taskId,
    kind: task.kind,
    lane: laneOf(task),
    map_over_index: task.mapOver === null ? null : indexOf(task.mapOver),
    operator: task.operator,
    inputs: task.inputs,
    value_indexes: [...valueTasks(task)].map(indexOf),
    branch_targets: task.branchTargets,
    rule: task.rule,
    role: task.role ?? "work",
    upstream_count: task.upstream.length,
    retries: task.retry.retries,
    retry_delay_ms: task.retry.delayMs,
    retry_factor: task.retry.factor,
    retry_max_ms: task.retry.maxMs,
    retry_jitter: task.retry.jitter,
    retry_policy: task.retry.policy ?? null,
    queue_timeout: intervalOf(task.queueTimeoutMs),
    start_timeout: intervalOf(task.startTimeoutMs),
    timeout_ms: task.timeoutMs,
    pool: task.pool,
    pool_slots: task.poolSlots,
    priority: task.priority,
    max_active: task.maxActive,
    queue: task.queue ?? "default",
    concurrency: task.concurrency ?? null,
    emits: task.emits,
    sensor: task.sensor ?? null,
    deadline: task.deadline ?? null,
    upstream_indexes: task.upstream.map(indexOf),
  };
}

/** Who takes it when it is queued: a worker's runners, a worker's host, or the scheduler. */
function laneOf(task: TaskSpec): "function" | "operator" | "wait" {
  if (task.operator === null) return "function";
  return task.kind === "sensor" ? "wait" : "operator";
}

/** Tasks whose values this one reads: its inputs, and the outputs its operator's config names. */
function valueTasks(task: TaskSpec): Set<string> {
  const named = task.operator === null ? [] : tokensIn(task.operator.config);
  const outputs = named.flatMap(({ token }) => ("$output" in token ? [token.$output] : []));
  return new Set([...Object.values(task.inputs), ...outputs]);
}
