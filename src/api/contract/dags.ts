/** `/api/v2/dags…`: DAGs, their versions, sources, tasks and import errors, in Airflow 3's shapes. */
import { z } from "zod";
import { instant, json, runState } from "./shared.ts";

const tag = z.object({ name: z.string(), dag_id: z.string(), dag_display_name: z.string() });

/** One of a DAG's latest runs, newest first; what a DAG list draws as dots. */
export const runDot = z.object({
  dag_run_id: z.string(),
  state: runState,
  run_after: instant,
  duration: z.number().nullable(),
});

/** A DAG in a list. `latest_runs` (≤ 14, newest first) and `state_counts` are qflow's additions. */
export const dag = z
  .object({
    dag_id: z.string(),
    dag_display_name: z.string(),
    is_paused: z.boolean(),
    /** True when the file that declared it is gone. */
    is_stale: z.boolean(),
    last_parsed_time: instant.nullable(),
    last_expired: instant.nullable(),
    bundle_name: z.string().nullable(),
    bundle_version: z.string().nullable(),
    relative_fileloc: z.string().nullable(),
    fileloc: z.string(),
    description: z.string().nullable(),
    timetable_summary: z.string().nullable(),
    timetable_description: z.string().nullable(),
    timetable_partitioned: z.boolean(),
    timetable_periodic: z.boolean(),
    is_backfillable: z.boolean(),
    tags: z.array(tag),
    max_active_tasks: z.number(),
    max_active_runs: z.number().nullable(),
    max_consecutive_failed_dag_runs: z.number(),
    has_task_concurrency_limits: z.boolean(),
    has_import_errors: z.boolean(),
    next_dagrun_logical_date: instant.nullable(),
    next_dagrun_data_interval_start: instant.nullable(),
    next_dagrun_data_interval_end: instant.nullable(),
    next_dagrun_run_after: instant.nullable(),
    owners: z.array(z.string()),
    file_token: z.string(),
    latest_runs: z.array(runDot),
    run_counts: z.object({ queued: z.number(), running: z.number(), success: z.number(), failed: z.number() }),
  })
  .meta({ id: "DAG" });

export const dagCollection = z.object({ dags: z.array(dag), total_entries: z.number() }).meta({ id: "DAGCollection" });

/** One immutable version of a DAG. */
export const dagVersion = z
  .object({
    id: z.string(),
    version_number: z.number(),
    dag_id: z.string(),
    bundle_name: z.string().nullable(),
    bundle_version: z.string().nullable(),
    bundle_url: z.string().nullable(),
    created_at: instant,
    dag_display_name: z.string(),
  })
  .meta({ id: "DagVersion" });

export const dagVersionCollection = z
  .object({ dag_versions: z.array(dagVersion), total_entries: z.number() })
  .meta({ id: "DagVersionCollection" });

/** `GET /api/v2/dags/{dag_id}/details`. */
export const dagDetails = dag
  .extend({
    catchup: z.boolean(),
    dag_run_timeout: z.string().nullable(),
    asset_expression: json,
    doc_md: z.string().nullable(),
    start_date: instant.nullable(),
    end_date: instant.nullable(),
    is_paused_upon_creation: z.boolean().nullable(),
    /** JSON Schema of the params with defaults, or null. */
    params: json,
    render_template_as_native_obj: z.boolean(),
    template_search_path: z.array(z.string()).nullable(),
    timezone: z.string().nullable(),
    last_parsed: instant.nullable(),
    default_args: z.record(z.string(), z.unknown()).nullable(),
    owner_links: z.record(z.string(), z.string()).nullable(),
    is_favorite: z.boolean(),
    active_runs_count: z.number(),
    concurrency: z.number(),
    latest_dag_version: dagVersion.nullable(),
  })
  .meta({ id: "DAGDetails" });

export const dagPatch = z.strictObject({ is_paused: z.boolean() }).meta({ id: "DAGPatch" });

/** `GET /api/v2/dagSources/{dag_id}?version_number=`. */
export const dagSource = z
  .object({
    content: z.string().nullable(),
    version_number: z.number().nullable(),
    dag_id: z.string(),
    dag_display_name: z.string(),
  })
  .meta({ id: "DAGSource" });

/** A task as declared in the latest version. Durations are ISO 8601-free seconds, as Airflow's TimeDelta gives `{ days, seconds, microseconds }`. */
const timeDelta = z.object({
  __type: z.literal("TimeDelta"),
  days: z.number(),
  seconds: z.number(),
  microseconds: z.number(),
});

export const task = z
  .object({
    task_id: z.string(),
    task_display_name: z.string(),
    owner: z.string().nullable(),
    start_date: instant.nullable(),
    end_date: instant.nullable(),
    trigger_rule: z.string(),
    depends_on_past: z.boolean(),
    wait_for_downstream: z.boolean(),
    retries: z.number(),
    queue: z.string().nullable(),
    pool: z.string(),
    pool_slots: z.number(),
    execution_timeout: timeDelta.nullable(),
    retry_delay: timeDelta.nullable(),
    retry_exponential_backoff: z.number(),
    priority_weight: z.number(),
    weight_rule: z.string(),
    ui_color: z.string().nullable(),
    ui_fgcolor: z.string().nullable(),
    template_fields: z.array(z.string()),
    downstream_task_ids: z.array(z.string()),
    doc_md: z.string().nullable(),
    /** Operator's name, or the kind of function (`function`, `map`, `branch`, `shortCircuit`). */
    operator_name: z.string(),
    params: json,
    class_ref: json,
    is_mapped: z.boolean(),
    extra_links: z.array(z.string()),
    /** qflow: dataset ids. */
    reads: z.array(z.string()),
    emits: z.array(z.string()),
    upstream_task_ids: z.array(z.string()),
    /** Line in the DAG's file, 1-based. */
    line: z.number().nullable(),
  })
  .meta({ id: "Task" });

export const taskCollection = z
  .object({ tasks: z.array(task), total_entries: z.number() })
  .meta({ id: "TaskCollection" });

export const importError = z
  .object({
    import_error_id: z.number(),
    timestamp: instant,
    filename: z.string(),
    bundle_name: z.string().nullable(),
    stack_trace: z.string(),
  })
  .meta({ id: "ImportError" });

export const importErrorCollection = z
  .object({ import_errors: z.array(importError), total_entries: z.number() })
  .meta({ id: "ImportErrorCollection" });

export type Dag = z.infer<typeof dag>;
export type RunDot = z.infer<typeof runDot>;
export type DagCollection = z.infer<typeof dagCollection>;
export type DagDetails = z.infer<typeof dagDetails>;
export type DagVersion = z.infer<typeof dagVersion>;
export type DagVersionCollection = z.infer<typeof dagVersionCollection>;
export type DagSource = z.infer<typeof dagSource>;
export type Task = z.infer<typeof task>;
export type TaskCollection = z.infer<typeof taskCollection>;
export type ImportErrorEntry = z.infer<typeof importError>;
export type ImportErrorCollection = z.infer<typeof importErrorCollection>;
