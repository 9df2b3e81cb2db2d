/**
 * The compiled DAG: plain JSON, what a version stores and what scheduler, workers, API and UI read.
 * Authoring code (functions) lives in the bundle; everything that decides about a run is here.
 */

/** Any JSON value; what travels between tasks and into the database. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Airflow's trigger rules. */
export const TRIGGER_RULES = [
  "all_success",
  "all_failed",
  "all_done",
  "all_done_min_one_success",
  "all_skipped",
  "one_success",
  "one_failed",
  "one_done",
  "none_failed",
  "none_failed_min_one_success",
  "none_skipped",
  "always",
] as const;
/** One of Airflow's trigger rules. */
export type TriggerRule = (typeof TRIGGER_RULES)[number];

/** When runs are created. `null` in {@link DagSpec.schedule} means: only by hand. */
export type ScheduleSpec =
  | { kind: "cron"; expression: string; timezone: string }
  | { kind: "cronInterval"; expression: string; timezone: string }
  | { kind: "datasets"; condition: DatasetCondition; consume: DatasetConsumption };

/** `all` = every named dataset has a new event; `any` = one of them has. Leaves are dataset ids. */
export type DatasetCondition = { all: DatasetCondition[] } | { any: DatasetCondition[] } | { dataset: string };

/** `pending` = one run takes all events waiting; `each` = one run an event, whose `extra` becomes the run's conf. */
export type DatasetConsumption = "pending" | "each";

/** Which missed ticks are made up for when a DAG is un-paused or the scheduler was away. */
export type Catchup = "none" | "latest" | "all";

/** Delay before try n+1: `delayMs * factor^(n-1)`, at most `maxMs`; with full jitter when `jitter` is "full". */
export interface RetrySpec {
  /** How many times a failed task is tried again; 0 = once only. */
  retries: number;
  delayMs: number;
  factor: number;
  maxMs: number;
  jitter: "none" | "full";
}

/** Who runs a task: its own function (in a warm runner) or a declared operator (in the asynchronous host). */
export type TaskKind = "function" | "map" | "branch" | "shortCircuit" | "operator";

/** One task of a compiled DAG. Times are milliseconds. */
export interface TaskSpec {
  taskId: string;
  /** Position in {@link DagSpec.tasks}, topological: an upstream always has a lower index. */
  index: number;
  kind: TaskKind;
  /** Present where `kind` is "operator" (or a map of an operator): name in the registry and config with {@link Token}s. */
  operator: { name: string; config: Json } | null;
  /** Named inputs: name → task id whose value is passed. Every one is also in `upstream`. */
  inputs: Record<string, string>;
  upstream: string[];
  downstream: string[];
  /** For kind "map": the upstream task whose array is mapped over. */
  mapOver: string | null;
  /** For kind "branch": name → task id it may choose. Empty = any direct downstream by id. */
  branchTargets: Record<string, string>;
  rule: TriggerRule;
  retry: RetrySpec;
  timeoutMs: number | null;
  pool: string;
  poolSlots: number;
  /** Higher first. */
  priority: number;
  /** At most this many of the task's instances (mapped items, and over all runs) at once; null = no limit. */
  maxActive: number | null;
  /** Dataset ids. */
  reads: string[];
  emits: string[];
  doc: string | null;
  /** Line of the declaration in the source, 1-based, where known. */
  line: number | null;
}

/** A dataset as declared by a DAG author; its id is the catalog's name, e.g. `conformed.fact_sales`. */
export interface DatasetSpec {
  id: string;
  description: string | null;
  owner: string | null;
}

/** One immutable compiled DAG. */
export interface DagSpec {
  format: 1;
  dagId: string;
  doc: string | null;
  owner: string | null;
  tags: string[];
  schedule: ScheduleSpec | null;
  /** ISO instants (UTC) or null. */
  start: string | null;
  end: string | null;
  catchup: Catchup;
  maxActiveRuns: number;
  maxActiveTasks: number;
  /** JSON Schema of the params, with defaults; null = none declared. */
  params: Json;
  datasets: DatasetSpec[];
  tasks: TaskSpec[];
}

/**
 * Placeholders inside operator config, resolved by the worker just before the operator runs.
 * `param` = value at a path of the run's params; `output` = value at a path of an upstream's XCom;
 * `run` = a fact of the run.
 */
export type Token =
  | { $param: string[] }
  | { $output: string; path: (string | number)[] }
  | { $run: "runId" | "dagId" | "logicalDate" | "intervalStart" | "intervalEnd" };
