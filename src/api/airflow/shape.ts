/** From rows to Airflow 3's shapes. What qflow has no notion of gets the value Airflow gives when it is not used. */
import { scheduleDescription, scheduleSummary } from "../../dag/schedule-text.ts";
import type { DagSpec, Json, TaskSpec } from "../../dag/spec.ts";
import { isPeriodic } from "../../dag/timetable.ts";
import type { DagRow, DagVersionRow } from "../../metadata/views/dag-views.ts";
import type { RunRow } from "../../metadata/views/run-views.ts";
import type { TaskInstanceRow } from "../../metadata/views/task-views.ts";
import type { Dag, DagRun, DagVersion, Task, TaskInstance, TaskState, TaskTry } from "../contract.ts";

const BUNDLE = "dags";

/** Airflow's clients take ids of versions and instances for UUIDs: a number of ours as a UUID of version 8. */
function numberedUuid(kind: "version" | "instance", id: string): string {
  return `00000000-0000-8000-8000-${kind === "version" ? "1" : "2"}${BigInt(id).toString(16).padStart(11, "0")}`;
}

/** An instant as ISO 8601 in UTC, from a column or from JSON that PostgreSQL built. */
export function iso(at: Date | string): string {
  return new Date(at).toISOString();
}

/** {@link iso}, or null. */
export function isoOrNull(at: Date | string | null): string | null {
  return at === null ? null : iso(at);
}

/** A DAG in a list. */
export function dagShape(row: DagRow): Dag {
  return {
    dag_id: row.dag_id,
    dag_display_name: row.dag_id,
    is_paused: row.paused,
    is_stale: !row.active,
    last_parsed_time: iso(row.updated_at),
    last_expired: null,
    bundle_name: BUNDLE,
    bundle_version: row.bundle_hash,
    relative_fileloc: row.file.split("/").at(-1) ?? row.file,
    fileloc: row.file,
    description: row.doc,
    timetable_summary: scheduleSummary(row.schedule),
    timetable_description: scheduleDescription(row.schedule),
    timetable_partitioned: row.schedule?.kind === "datasets" && row.schedule.consume === "partition",
    timetable_periodic: row.schedule !== null && isPeriodic(row.schedule),
    is_backfillable: row.schedule !== null && isPeriodic(row.schedule),
    tags: row.tags.map((name) => ({ name, dag_id: row.dag_id, dag_display_name: row.dag_id })),
    max_active_tasks: row.max_active_tasks ?? 0,
    max_active_runs: row.max_active_runs,
    max_consecutive_failed_dag_runs: 0,
    has_task_concurrency_limits: row.has_task_limits,
    has_import_errors: row.has_import_error,
    next_dagrun_logical_date: isoOrNull(row.next_logical_date),
    next_dagrun_data_interval_start: isoOrNull(row.next_interval_start),
    next_dagrun_data_interval_end: isoOrNull(row.next_interval_end),
    next_dagrun_run_after: isoOrNull(row.next_run_after),
    owners: row.owner === null ? [] : [row.owner],
    file_token: "",
    latest_runs: row.latest_runs.map((run) => ({
      dag_run_id: run.run_id,
      state: run.state,
      run_after: iso(run.run_after),
      duration: run.duration,
    })),
    run_counts: {
      queued: row.run_counts.queued ?? 0,
      running: row.run_counts.running ?? 0,
      success: row.run_counts.success ?? 0,
      failed: row.run_counts.failed ?? 0,
    },
  };
}

/** A version of a DAG. */
export function versionShape(row: DagVersionRow): DagVersion {
  return {
    id: numberedUuid("version", row.id),
    version_number: row.number,
    dag_id: row.dag_id,
    bundle_name: BUNDLE,
    bundle_version: row.bundle_hash,
    bundle_url: null,
    created_at: iso(row.created_at),
    dag_display_name: row.dag_id,
  };
}

function timeDelta(ms: number): { __type: "TimeDelta"; days: number; seconds: number; microseconds: number } {
  const seconds = Math.floor(ms / 1000);
  return {
    __type: "TimeDelta",
    days: Math.floor(seconds / 86_400),
    seconds: seconds % 86_400,
    microseconds: Math.round((ms % 1000) * 1000),
  };
}

/** A task as declared. */
export function taskShape(spec: DagSpec, task: TaskSpec): Task {
  return {
    task_id: task.taskId,
    task_display_name: task.taskId,
    owner: spec.owner,
    start_date: spec.start,
    end_date: spec.end,
    trigger_rule: task.rule,
    depends_on_past: false,
    wait_for_downstream: false,
    retries: task.retry.retries,
    queue: task.queue ?? "default",
    pool: task.pool,
    pool_slots: task.poolSlots,
    execution_timeout: task.timeoutMs === null ? null : timeDelta(task.timeoutMs),
    retry_delay: timeDelta(task.retry.delayMs),
    retry_exponential_backoff: task.retry.factor === 1 ? 0 : task.retry.factor,
    priority_weight: task.priority,
    weight_rule: "absolute",
    ui_color: null,
    ui_fgcolor: null,
    template_fields: [],
    downstream_task_ids: task.downstream,
    doc_md: task.doc,
    operator_name: task.operator?.name ?? task.kind,
    params: {},
    class_ref: null,
    is_mapped: task.mapOver !== null,
    extra_links: [],
    reads: task.reads,
    emits: task.emits,
    upstream_task_ids: task.upstream,
    line: task.line,
  };
}

const RUN_TYPE = {
  scheduled: "scheduled",
  manual: "manual",
  dataset: "asset_triggered",
  message: "asset_triggered",
  backfill: "backfill",
} as const;

/** qflow's kind of run in Airflow's word. */
export function runType(kind: string): DagRun["run_type"] {
  return RUN_TYPE[kind as keyof typeof RUN_TYPE] ?? "manual";
}

/** Airflow's word for a type of run in qflow's. */
export function runKinds(type: string): string[] {
  return type === "asset_triggered" ? ["dataset", "message"] : [type];
}

/** A run. */
export function runShape(row: RunRow): DagRun {
  const byUser = row.triggered_by.startsWith("user:");
  return {
    dag_run_id: row.run_id,
    dag_id: row.dag_id,
    dag_display_name: row.dag_id,
    logical_date: isoOrNull(row.logical_date),
    queued_at: iso(row.queued_at),
    start_date: isoOrNull(row.started_at),
    end_date: isoOrNull(row.ended_at),
    duration: row.duration,
    data_interval_start: isoOrNull(row.interval_start),
    data_interval_end: isoOrNull(row.interval_end),
    run_after: iso(row.run_after),
    last_scheduling_decision: null,
    run_type: runType(row.kind),
    state: row.state,
    triggered_by: byUser ? "rest_api" : row.triggered_by,
    triggering_user_name: byUser ? row.triggered_by.slice("user:".length) : null,
    conf: row.conf,
    note: row.note,
    dag_versions: [versionShape(row.version)],
    bundle_version: row.version.bundle_hash,
    partition_key: row.partition,
  };
}

function commonInstance(row: TaskInstanceRow) {
  return {
    id: numberedUuid("instance", row.id),
    task_id: row.task_id,
    dag_id: row.dag_id,
    dag_run_id: row.run_id,
    map_index: row.map_index,
    logical_date: isoOrNull(row.logical_date),
    run_after: iso(row.run_after),
    start_date: isoOrNull(row.started_at),
    end_date: isoOrNull(row.ended_at),
    duration: row.duration,
    state: row.state === "none" ? null : (row.state as TaskState),
    try_number: row.try_number,
    max_tries: row.max_tries,
    task_display_name: row.task_id,
    dag_display_name: row.dag_id,
    hostname: row.host,
    unixname: null,
    pool: row.pool,
    pool_slots: row.pool_slots,
    queue: row.queue,
    priority_weight: row.priority,
    operator: row.operator,
    operator_name: row.operator,
    queued_when: isoOrNull(row.queued_at),
    scheduled_when: null,
    pid: row.pid,
    executor: null,
    executor_config: "{}",
    rendered_map_index: row.map_index < 0 ? null : String(row.map_index),
    dag_version: versionShape(row.version),
    error: errorShape(row),
  };
}

function errorShape(row: TaskInstanceRow): TaskInstance["error"] {
  if (row.error) return { code: row.error.code, message: row.error.message };
  return row.reason === null ? null : { code: null, message: row.reason };
}

function progressShape(progress: Json): TaskInstance["progress"] {
  if (typeof progress !== "object" || progress === null || Array.isArray(progress)) return null;
  const { step, done, total } = progress;
  if (typeof step !== "string" || typeof done !== "number") return null;
  return { step, done, total: typeof total === "number" ? total : null };
}

/** A task instance. */
export function instanceShape(row: TaskInstanceRow): TaskInstance {
  return {
    ...commonInstance(row),
    note: row.note,
    rendered_fields: {},
    trigger: null,
    triggerer_job: null,
    progress: row.state === "running" ? progressShape(row.progress) : null,
  };
}

/** A try. */
export function tryShape(row: TaskInstanceRow & { attempt_id: string }): TaskTry {
  return { ...commonInstance(row), attempt_id: row.attempt_id };
}
