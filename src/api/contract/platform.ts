/** Health, pools, who am I, grid, insights, SQL and the event stream. */
import { z } from "zod";
import { runRef } from "./catalog.ts";
import { bulkBody } from "./secrets.ts";
import { instant, runState, taskState } from "./shared.ts";

/** `GET /api/v2/version`. */
export const version = z.object({ version: z.string(), git_version: z.string().nullable() }).meta({ id: "Version" });

const component = z.object({ status: z.enum(["healthy", "unhealthy"]).nullable() });

/** `GET /api/v2/monitor/health`; `worker` is qflow's addition. */
export const health = z
  .object({
    metadatabase: component,
    scheduler: component.extend({ latest_scheduler_heartbeat: instant.nullable() }),
    triggerer: component.extend({ latest_triggerer_heartbeat: instant.nullable() }),
    dag_processor: component.extend({ latest_dag_processor_heartbeat: instant.nullable() }),
    worker: component.extend({ latest_worker_heartbeat: instant.nullable(), count: z.number() }),
  })
  .meta({ id: "HealthInfo" });

export const pool = z
  .object({
    name: z.string(),
    slots: z.number(),
    description: z.string().nullable(),
    include_deferred: z.boolean(),
    occupied_slots: z.number(),
    running_slots: z.number(),
    queued_slots: z.number(),
    scheduled_slots: z.number(),
    open_slots: z.number(),
    deferred_slots: z.number(),
  })
  .meta({ id: "Pool" });

/** `POST /api/v2/pools`. Deferred tasks never hold a slot. */
export const poolBody = z
  .strictObject({
    name: z.string().min(1).max(256),
    slots: z.number().int().min(0).max(1_000_000),
    description: z.string().nullish(),
    include_deferred: z.literal(false).nullish(),
    team_name: z.null().optional(),
  })
  .meta({ id: "PoolBody" });

/** `PATCH /api/v2/pools/{pool_name}`; the name cannot be changed. */
export const poolPatch = poolBody.partial().extend({ pool: z.string().nullish() }).meta({ id: "PoolPatchBody" });

export const bulkPools = bulkBody(poolBody).meta({ id: "BulkPools" });

/** `GET /api/v2/dagWarnings`. */
export const dagWarningCollection = z
  .object({
    dag_warnings: z.array(
      z.object({
        dag_id: z.string(),
        dag_display_name: z.string(),
        warning_type: z.enum(["non-existent pool", "pool too small"]),
        message: z.string(),
        timestamp: instant,
      }),
    ),
    total_entries: z.number(),
  })
  .meta({ id: "DAGWarningCollection" });

export const poolCollection = z
  .object({ pools: z.array(pool), total_entries: z.number() })
  .meta({ id: "PoolCollection" });

export const ROLES = ["viewer", "user", "admin"] as const;
export const role = z.enum(ROLES);

/** `GET /api/me`: who is logged in. 401 when nobody is. */
export const me = z.object({ name: z.string(), role }).meta({ id: "Me" });

/** One row of the grid: a task of the shown versions. `index` is topological. */
const gridTask = z.object({
  task_id: z.string(),
  index: z.number(),
  operator_name: z.string(),
  is_mapped: z.boolean(),
  upstream: z.array(z.string()),
  downstream: z.array(z.string()),
  reads: z.array(z.string()),
  emits: z.array(z.string()),
  /** False where only older runs have it. */
  in_latest: z.boolean(),
  /** The innermost group it is in; its id starts with the group's and a dot. */
  group: z.string().nullable(),
});

/** A cell: one task in one run. A mapped task is one cell with the worst state and counts by state. */
const gridCell = z.object({
  task_id: z.string(),
  state: taskState,
  try_number: z.number(),
  start_date: instant.nullable(),
  end_date: instant.nullable(),
  /** Mapped tasks only: instances by state. */
  mapped: z.partialRecord(taskState, z.number()).nullable(),
});

/** A column: one run, with a cell for every task it has. */
const gridRun = z.object({
  dag_run_id: z.string(),
  state: runState,
  run_type: z.string(),
  logical_date: instant.nullable(),
  run_after: instant,
  start_date: instant.nullable(),
  end_date: instant.nullable(),
  /** Seconds; so far when running. */
  duration: z.number().nullable(),
  version_number: z.number(),
  note: z.string().nullable(),
  cells: z.array(gridCell),
});

/** `GET /api/grid/{dag_id}?limit=25&before=<run_after of the oldest shown>`; runs newest first. */
export const grid = z
  .object({ dag_id: z.string(), tasks: z.array(gridTask), runs: z.array(gridRun), next: z.string().nullable() })
  .meta({ id: "Grid" });

/** How a chart is drawn. `x`, `y` and `series` name columns of the rows. */
const chart = z.object({
  kind: z.enum(["bar", "line", "table"]),
  x: z.string(),
  y: z.string(),
  series: z.string().nullable(),
  x_title: z.string(),
  /** With the unit. */
  y_title: z.string(),
});

export const insightSummary = z.object({
  name: z.string(),
  title: z.string(),
  description: z.string(),
  /** Dataset it is drawn from; also its page in the catalog. */
  dataset: z.string(),
  chart,
});

/** `GET /api/insights`. */
export const insightList = z.object({ insights: z.array(insightSummary) }).meta({ id: "InsightList" });

/** `GET /api/insights/{name}?limit=50`. Decimals and 64-bit integers are strings. `written_by` is null before the first write. */
export const insight = insightSummary
  .extend({
    columns: z.array(z.object({ name: z.string(), type: z.string() })),
    rows: z.array(z.array(z.union([z.string(), z.number(), z.boolean(), z.null()]))),
    written_by: runRef.nullable(),
    /** When the rows were read from the table. */
    read_at: instant,
  })
  .meta({ id: "Insight" });

/** `POST /api/sql`. */
export const sqlRequest = z
  .strictObject({
    sql: z.string().min(1).max(100_000),
    max_rows: z.number().int().min(1).max(10_000).default(1000),
    timeout_seconds: z.number().int().min(1).max(600).default(60),
  })
  .meta({ id: "SqlRequest" });

/** Decimals and 64-bit integers are strings; `truncated` = more rows exist than were asked for. */
export const sqlResult = z
  .object({
    columns: z.array(z.object({ name: z.string(), type: z.string() })),
    rows: z.array(z.array(z.union([z.string(), z.number(), z.boolean(), z.null()]))),
    truncated: z.boolean(),
    duration_ms: z.number(),
  })
  .meta({ id: "SqlResult" });

/**
 * `GET /api/events` (server-sent events). Messages have event `change` and this JSON as data: what changed since the last one,
 * merged over at most 400 ms. Event `hello` comes first on every connection, after it everything shown should be fetched anew.
 */
export const changeEvent = z
  .object({
    /** A run that changed, or any of its task instances did. */
    runs: z.array(z.object({ dag_id: z.string(), dag_run_id: z.string() })),
    /** DAGs that were paused, unpaused or got a new version. */
    dags: z.array(z.string()),
    /** Datasets that were written. */
    datasets: z.array(z.string()),
  })
  .meta({ id: "ChangeEvent" });

export type Version = z.infer<typeof version>;
export type Health = z.infer<typeof health>;
export type Pool = z.infer<typeof pool>;
export type PoolBody = z.infer<typeof poolBody>;
export type PoolPatch = z.infer<typeof poolPatch>;
export type PoolCollection = z.infer<typeof poolCollection>;
export type Role = z.infer<typeof role>;
export type Me = z.infer<typeof me>;
export type Grid = z.infer<typeof grid>;
export type GridTask = z.infer<typeof gridTask>;
export type GridRun = z.infer<typeof gridRun>;
export type GridCell = z.infer<typeof gridCell>;
export type InsightSummary = z.infer<typeof insightSummary>;
export type InsightList = z.infer<typeof insightList>;
export type Insight = z.infer<typeof insight>;
export type SqlRequest = z.input<typeof sqlRequest>;
export type SqlResult = z.infer<typeof sqlResult>;
export type ChangeEvent = z.infer<typeof changeEvent>;
