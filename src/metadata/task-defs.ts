/** Rows of `task_def` from a compiled DAG: what scheduling and claiming need, one row a task. */

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
  return spec.tasks.map((task) => taskDefRow(task, (taskId) => indexOf.get(taskId) as number));
}

function taskDefRow(task: TaskSpec, indexOf: (taskId: string) => number): TaskDefRow {
  return {
    task_index: task.index,
    task_id: task.taskId,
    kind: task.kind,
    lane: task.kind === "operator" ? "operator" : "function",
    map_over_index: task.mapOver === null ? null : indexOf(task.mapOver),
    operator: task.operator,
    inputs: task.inputs,
    value_indexes: [...valueTasks(task)].map(indexOf),
    branch_targets: task.branchTargets,
    rule: task.rule,
    upstream_count: task.upstream.length,
    is_leaf: task.downstream.length === 0,
    retries: task.retry.retries,
    retry_delay_ms: task.retry.delayMs,
    retry_factor: task.retry.factor,
    retry_max_ms: task.retry.maxMs,
    retry_jitter: task.retry.jitter,
    timeout_ms: task.timeoutMs,
    pool: task.pool,
    pool_slots: task.poolSlots,
    priority: task.priority,
    max_active: task.maxActive,
    emits: task.emits,
    upstream_indexes: task.upstream.map(indexOf),
  };
}

/** Tasks whose values this one reads: its inputs, and the outputs its operator's config names. */
function valueTasks(task: TaskSpec): Set<string> {
  const named = task.operator === null ? [] : tokensIn(task.operator.config);
  const outputs = named.flatMap(({ token }) => ("$output" in token ? [token.$output] : []));
  return new Set([...Object.values(task.inputs), ...outputs]);
}
