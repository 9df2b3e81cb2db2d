/** Making runs and what people do to them. */
import { randomUUID } from "node:crypto";
import { checkParams } from "../dag/params.ts";
import type { DagSpec, Json } from "../dag/spec.ts";
import { manualInterval } from "../dag/timetable.ts";
import { QflowError } from "../errors.ts";
import type { Database, Sql } from "./database.ts";
import { wakeWith } from "./wake.ts";

/** A run asked for by a person or a program. */
export interface ManualRun {
  readonly dagId: string;
  /** The run's conf; laid over the defaults of the DAG's params. */
  readonly conf?: Json;
  readonly logicalDate?: Date | null;
  /** Default: `manual__<now>`. */
  readonly runId?: string;
  /** Not before. Default: now. */
  readonly runAfter?: Date | null;
  /** The partition of its data that it is for. */
  readonly partition?: string | null;
  readonly by: string;
  readonly note?: string | null;
}

/** A run as it was made. */
export interface CreatedRun {
  readonly dagId: string;
  readonly runId: string;
  /** Key of the run in the database. */
  readonly id: number;
}

/**
 * Makes a run of the DAG's current version and starts it where max_active_runs and pause allow. Throws NOT_FOUND (no such
 * active DAG), PARAMS_INVALID, CONFLICT (run id taken).
 */
export async function createRun(database: Database, wanted: ManualRun): Promise<CreatedRun> {
  return database.transaction(async (sql) => {
    const dag = await lockDag(sql, wanted.dagId);
    const params = checkParams(dag.spec, wanted.conf ?? {});
    const at = wanted.logicalDate ?? dag.now;
    const interval = manualInterval(dag.spec.schedule, at);
    const runId = wanted.runId ?? `manual__${dag.now.toISOString()}_${randomUUID().slice(0, 8)}`;
    const id = await insertRun(sql, {
      dagId: wanted.dagId,
      runId,
      versionId: dag.versionId,
      kind: "manual",
      logicalDate: wanted.logicalDate ?? null,
      interval,
      runAfter: wanted.runAfter ?? null,
      conf: wanted.conf ?? {},
      params,
      by: wanted.by,
      partition: wanted.partition ?? null,
    });
    if (id === null) throw new QflowError("CONFLICT", `DAG ${wanted.dagId} already has a run ${runId}`);
    if (wanted.note) await sql.query("update dag_run set note = $2 where id = $1", [id, wanted.note]);
    await startRuns(sql, wanted.dagId);
    return { dagId: wanted.dagId, runId, id };
  });
}

/** A run ready to be stored. */
export interface NewRun {
  readonly dagId: string;
  readonly runId: string;
  readonly versionId: number;
  readonly kind: "scheduled" | "manual" | "dataset" | "message";
  readonly logicalDate: Date | null;
  readonly interval: { readonly start: Date; readonly end: Date } | null;
  readonly runAfter: Date | null;
  readonly conf: Json;
  readonly params: Json;
  readonly by: string;
  /** The partition of its data that it is for. */
  readonly partition?: string | null;
}

/** Stores a run with all its task instances; null where its id or (scheduled) its tick is taken. */
export async function insertRun(sql: Sql, run: NewRun): Promise<number | null> {
  const result = await sql.query<{ id: number | null }>(
    "select create_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, p_partition => $12)::float8 as id",
    [
      run.dagId,
      run.runId,
      run.versionId,
      run.kind,
      run.logicalDate,
      run.interval?.start ?? null,
      run.interval?.end ?? null,
      run.runAfter,
      JSON.stringify(run.conf ?? {}),
      JSON.stringify(run.params),
      run.by,
      run.partition ?? null,
    ],
  );
  return result.rows[0]?.id ?? null;
}

/** Starts queued runs of a DAG as far as max_active_runs allows, and wakes workers when that made work. */
export async function startRuns(sql: Sql, dagId: string): Promise<void> {
  const result = await sql.query<{ ready: number }>("select start_runs($1) as ready", [dagId]);
  if ((result.rows[0]?.ready ?? 0) > 0) await wakeWith(sql, "qflow_work");
}

/** How many runs of a DAG are queued and due. */
export async function countQueuedRuns(sql: Sql, dagId: string): Promise<number> {
  const result = await sql.query<{ n: number }>(
    "select count(*)::integer as n from dag_run where dag_id = $1 and state = 'queued' and run_after <= now()",
    [dagId],
  );
  return result.rows[0]?.n ?? 0;
}

/** A DAG whose row is locked, with its current version. */
export interface LockedDag {
  readonly spec: DagSpec;
  readonly versionId: number;
  /** The database's clock. */
  readonly now: Date;
}

/** Locks an active DAG. Throws NOT_FOUND. */
export async function lockDag(sql: Sql, dagId: string): Promise<LockedDag> {
  const result = await sql.query<{ spec: DagSpec; version_id: number; now: Date }>(
    `select v.spec, v.id::float8 as version_id, now() as now from dag d join dag_version v on v.id = d.version_id
     where d.dag_id = $1 and d.active for no key update of d`,
    [dagId],
  );
  const row = result.rows[0];
  if (!row) throw new QflowError("NOT_FOUND", `there is no active DAG ${dagId}`);
  return { spec: row.spec, versionId: row.version_id, now: row.now };
}

/** A paused DAG gets no new runs, and its queued runs do not start; running ones go on. Throws NOT_FOUND. */
export async function pauseDag(sql: Sql, dagId: string): Promise<void> {
  const result = await sql.query("update dag set paused = true, updated_at = now() where dag_id = $1", [dagId]);
  if (result.rowCount === 0) throw new QflowError("NOT_FOUND", `there is no DAG ${dagId}`);
}

/** Lets a DAG run; queued runs start at once. Throws NOT_FOUND. */
export async function unpauseDag(database: Database, dagId: string): Promise<void> {
  await database.transaction(async (sql) => {
    const result = await sql.query("update dag set paused = false, updated_at = now() where dag_id = $1", [dagId]);
    if (result.rowCount === 0) throw new QflowError("NOT_FOUND", `there is no DAG ${dagId}`);
    await startRuns(sql, dagId);
    await wakeWith(sql, "qflow_scheduler");
  });
}

/**
 * Ends a run: what has not started is skipped, running attempts are revoked (their workers end them), and the run ends
 * `failed` with the last of them. Returns how many are running. Throws NOT_FOUND, CONFLICT (it has ended).
 */
export async function cancelRun(database: Database, dagId: string, runId: string): Promise<{ running: number }> {
  return database.transaction(async (sql) => {
    const id = await runKey(sql, dagId, runId);
    const result = await sql.query<{ running: number | null }>("select cancel_run($1) as running", [id]);
    const running = result.rows[0]?.running ?? null;
    if (running === null) throw new QflowError("CONFLICT", `run ${runId} of DAG ${dagId} has ended`);
    await wakeWith(sql, "qflow_scheduler");
    // Workers hear of what they are to end at once instead of with their next heartbeat.
    if (running > 0) await wakeWith(sql, "qflow_work");
    return { running };
  });
}

/** Key of a run in the database. Throws NOT_FOUND. */
export async function runKey(sql: Sql, dagId: string, runId: string): Promise<number> {
  const result = await sql.query<{ id: number }>(
    "select id::float8 as id from dag_run where dag_id = $1 and run_id = $2",
    [dagId, runId],
  );
  const row = result.rows[0];
  if (!row) throw new QflowError("NOT_FOUND", `DAG ${dagId} has no run ${runId}`);
  return row.id;
}
