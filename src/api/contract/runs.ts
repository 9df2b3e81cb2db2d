/** `/api/v2/dags/{dag_id}/dagRuns…`: runs, task instances, tries, logs and XComs, in Airflow 3's shapes. */
import { z } from "zod";
import { dagVersion } from "./dags.ts";
import { instant, json, runState, taskState } from "./shared.ts";

export const dagRun = z
  .object({
    dag_run_id: z.string(),
    dag_id: z.string(),
    dag_display_name: z.string(),
    logical_date: instant.nullable(),
    queued_at: instant.nullable(),
    start_date: instant.nullable(),
    end_date: instant.nullable(),
    /** Seconds; of a running run: so far. */
    duration: z.number().nullable(),
    data_interval_start: instant.nullable(),
    data_interval_end: instant.nullable(),
    run_after: instant,
    last_scheduling_decision: instant.nullable(),
    run_type: z.enum(["scheduled", "manual", "backfill", "asset_triggered"]),
    state: runState,
    triggered_by: z.string().nullable(),
    triggering_user_name: z.string().nullable(),
    conf: json,
    note: z.string().nullable(),
    dag_versions: z.array(dagVersion),
    bundle_version: z.string().nullable(),
    /** The partition of its data that the run is for. */
    partition_key: z.string().nullable(),
  })
  .meta({ id: "DAGRun" });

export const dagRunCollection = z
  .object({ dag_runs: z.array(dagRun), total_entries: z.number() })
  .meta({ id: "DAGRunCollection" });

/** `POST /api/v2/dags/{dag_id}/dagRuns`. */
export const triggerRun = z
  .strictObject({
    dag_run_id: z.string().min(1).max(250).nullish(),
    logical_date: z.iso.datetime({ offset: true }).nullish(),
    data_interval_start: z.iso.datetime({ offset: true }).nullish(),
    data_interval_end: z.iso.datetime({ offset: true }).nullish(),
    run_after: z.iso.datetime({ offset: true }).nullish(),
    conf: z.record(z.string(), z.unknown()).nullish(),
    note: z.string().max(1000).nullish(),
    partition_key: z.string().min(1).max(250).nullish(),
  })
  .meta({ id: "TriggerDAGRun" });

/** `PATCH …/dagRuns/{run}`: `failed` cancels a run that is going, `queued` does all of an ended one again. */
export const patchRun = z
  .strictObject({ state: z.enum(["success", "failed", "queued"]).optional(), note: z.string().max(1000).nullish() })
  .meta({ id: "PatchDAGRun" });

/** What Airflow's clients always send; only `false` is understood. */
const notYet = z.literal(false).nullish();

/** `POST …/dagRuns/{run}/clear`. Airflow's default is a dry run. What runs is ended first. */
export const clearRun = z
  .strictObject({
    dry_run: z.boolean().default(true),
    only_failed: z.boolean().default(false),
    /** Binds the run to the newest version, and does only what that adds. */
    only_new: z.boolean().default(false),
    run_on_latest_version: z.boolean().nullish(),
  })
  .meta({ id: "ClearDAGRun" });

/** `POST /api/v2/dags/{dag_id}/clearTaskInstances`. */
export const clearTasks = z
  .strictObject({
    dry_run: z.boolean().default(true),
    dag_run_id: z.string(),
    /** A task id, or [task id, map index]. Absent = all of the run. */
    task_ids: z.array(z.union([z.string(), z.tuple([z.string(), z.number().int()])])).optional(),
    only_failed: z.boolean().default(true),
    include_upstream: z.boolean().default(false),
    include_downstream: z.boolean().default(false),
    include_future: notYet,
    include_past: notYet,
    only_running: z.boolean().default(false),
    /** Binds the run to the newest version of its DAG: what it adds is done, what it lacks becomes `removed`. */
    run_on_latest_version: z.boolean().nullish(),
    /** The run always goes on. */
    reset_dag_runs: z.literal(true).nullish(),
    /** Answers 409 where one of them waits or runs; otherwise that is ended first. */
    prevent_running_task: z.boolean().nullish(),
  })
  .meta({ id: "ClearTaskInstances" });

/** `PATCH …/taskInstances/{task}[/{map_index}]`, and `…/dry_run` beneath it. */
export const patchTask = z
  .strictObject({
    new_state: z.enum(["success", "failed", "skipped"]).nullish(),
    note: z.string().max(1000).nullish(),
    include_upstream: z.boolean().default(false),
    include_downstream: z.boolean().default(false),
    include_future: notYet,
    include_past: notYet,
  })
  .meta({ id: "PatchTaskInstance" });

export const taskInstance = z
  .object({
    id: z.string(),
    task_id: z.string(),
    dag_id: z.string(),
    dag_run_id: z.string(),
    /** -1 where the task is not mapped. */
    map_index: z.number(),
    logical_date: instant.nullable(),
    run_after: instant,
    start_date: instant.nullable(),
    end_date: instant.nullable(),
    /** Seconds; of a running instance: so far. */
    duration: z.number().nullable(),
    /** Airflow gives null for "none". */
    state: taskState.nullable(),
    try_number: z.number(),
    /** Retries allowed after the first try. */
    max_tries: z.number(),
    task_display_name: z.string(),
    dag_display_name: z.string(),
    hostname: z.string().nullable(),
    unixname: z.string().nullable(),
    pool: z.string(),
    pool_slots: z.number(),
    queue: z.string().nullable(),
    priority_weight: z.number().nullable(),
    operator: z.string().nullable(),
    operator_name: z.string().nullable(),
    queued_when: instant.nullable(),
    scheduled_when: instant.nullable(),
    pid: z.number().nullable(),
    executor: z.string().nullable(),
    executor_config: z.string(),
    note: z.string().nullable(),
    rendered_map_index: z.string().nullable(),
    rendered_fields: z.record(z.string(), z.unknown()),
    trigger: json,
    triggerer_job: json,
    dag_version: dagVersion.nullable(),
    /** qflow: how far the running try is, as the operator tells; null = unknown. */
    progress: z.object({ step: z.string(), done: z.number(), total: z.number().nullable() }).nullable(),
    /** qflow: why the last try failed, or why a waiting instance waits. */
    error: z.object({ code: z.string().nullable(), message: z.string() }).nullable(),
  })
  .meta({ id: "TaskInstance" });

export const taskInstanceCollection = z
  .object({
    task_instances: z.array(taskInstance),
    total_entries: z.number(),
    /** qflow: how clearing with the latest version changes the tasks of the run. */
    version_change: z
      .object({
        from: z.number(),
        to: z.number(),
        added: z.array(z.string()),
        removed: z.array(z.string()),
        changed: z.array(z.string()),
      })
      .optional(),
  })
  .meta({ id: "TaskInstanceCollection" });

/** One try of a task instance; `…/taskInstances/{task}/tries` lists them ascending. `attempt_id` is what lineage names. */
export const taskTry = taskInstance
  .omit({ progress: true, rendered_fields: true, trigger: true, triggerer_job: true, note: true })
  .extend({ attempt_id: z.string() })
  .meta({ id: "TaskInstanceTry" });

export const taskTryCollection = z
  .object({ task_instances: z.array(taskTry), total_entries: z.number() })
  .meta({ id: "TaskInstanceTryCollection" });

export const LOG_LEVELS = ["debug", "info", "warning", "error"] as const;

/** One line of a log. Airflow's structured log message plus the line's number. */
export const logLine = z.object({
  /** 1-based. */
  line: z.number(),
  timestamp: instant.nullable(),
  level: z.enum(LOG_LEVELS),
  event: z.string(),
  /** `task`, `stdout`, `stderr` or a name the operator gave. */
  logger: z.string(),
  fields: z.record(z.string(), z.unknown()).optional(),
});

/**
 * `GET …/taskInstances/{task}/logs/{try}?map_index=&token=&from_line=&limit=`.
 * Ask again with `token` for what came after; `complete` = the try has ended and nothing more will come.
 */
export const logPage = z
  .object({
    content: z.array(logLine),
    continuation_token: z.string().nullable(),
    complete: z.boolean(),
    /** Lines written so far. */
    total_lines: z.number(),
  })
  .meta({ id: "TaskInstancesLog" });

export const xcomEntry = z
  .object({
    key: z.string(),
    timestamp: instant,
    logical_date: instant.nullable(),
    run_after: instant,
    map_index: z.number(),
    task_id: z.string(),
    dag_id: z.string(),
    run_id: z.string(),
    dag_display_name: z.string(),
    task_display_name: z.string(),
    value: json,
  })
  .meta({ id: "XCom" });

export const xcomCollection = z
  .object({ xcom_entries: z.array(xcomEntry.omit({ value: true })), total_entries: z.number() })
  .meta({ id: "XComCollection" });

export type DagRun = z.infer<typeof dagRun>;
export type DagRunCollection = z.infer<typeof dagRunCollection>;
export type TriggerRun = z.input<typeof triggerRun>;
export type PatchRun = z.input<typeof patchRun>;
export type ClearRun = z.input<typeof clearRun>;
export type ClearTasks = z.input<typeof clearTasks>;
export type PatchTask = z.input<typeof patchTask>;
export type TaskInstance = z.infer<typeof taskInstance>;
export type TaskInstanceCollection = z.infer<typeof taskInstanceCollection>;
export type TaskTry = z.infer<typeof taskTry>;
export type TaskTryCollection = z.infer<typeof taskTryCollection>;
export type LogLine = z.infer<typeof logLine>;
export type LogPage = z.infer<typeof logPage>;
export type XComEntry = z.infer<typeof xcomEntry>;
export type XComCollection = z.infer<typeof xcomCollection>;
