/** Backfills: asked for, paused, cancelled, and taken on date by date. */
import { type BackfillRange, backfillDates } from "../dag/backfill-dates.ts";
import { checkParams } from "../dag/params.ts";
import type { Json } from "../dag/spec.ts";
import type { TimetableRun } from "../dag/timetable.ts";
import { QflowError } from "../errors.ts";
import type { Database, Sql } from "./database.ts";
import { type LockedDag, lockDag } from "./runs.ts";
import { wakeWith } from "./wake.ts";

/** Which dates get a run: those that have none, also those whose last run failed, or all. Dates with a run under way never do. */
export type Reprocess = "missing" | "failed" | "all";

/** A backfill as it is asked for. */
export interface BackfillRequest {
  readonly dagId: string;
  readonly range: BackfillRange;
  readonly reprocess: Reprocess;
  /** The newest date first. Default: the oldest. */
  readonly order?: "forward" | "backward";
  /** Runs of it at once, beside those of the DAG's schedule. Default 10. */
  readonly maxActiveRuns?: number;
  /** Conf of its runs, checked against the DAG's params. */
  readonly conf?: Json;
  readonly by: string;
}

/** What becomes of a date: `created` = it gets a run, `scheduled` = the schedule is still to come to it. */
export type DateOutcome = "created" | "exists" | "in_flight" | "scheduled";

/** A date of a backfill that is not made yet. */
export interface PlannedDate {
  readonly logicalDate: Date;
  readonly interval: { readonly start: Date; readonly end: Date };
  readonly outcome: DateOutcome;
}

const MAX_ACTIVE_RUNS = 10;

/**
 * What the backfill would do now, in the order in which it would; changes nothing. Throws NOT_FOUND (no such active DAG),
 * PARAMS_INVALID, CONFLICT (a backfill that is not over has dates in the same period), USAGE (no dates, too many, not over yet).
 */
export function previewBackfill(database: Database, request: BackfillRequest): Promise<PlannedDate[]> {
  return database.transaction(async (sql) => {
    const { dates } = await prepare(sql, request);
    const outcomes = await sql.query<{ outcome: DateOutcome }>(
      `select backfill_outcome($1, $2, logical, h.at) as outcome
       from unnest($3::timestamptz[]) with ordinality d (logical, n), (select scheduled_from($1) as at) h order by n`,
      [request.dagId, request.reprocess, dates.map((date) => date.logicalDate)],
    );
    return dates.map(({ logicalDate, interval }, i) => ({
      logicalDate,
      interval,
      outcome: outcomes.rows[i]?.outcome as DateOutcome,
    }));
  });
}

/** Makes the backfill; schedulers take it on. Returns its id. Throws as {@link previewBackfill}. */
export function createBackfill(database: Database, request: BackfillRequest): Promise<number> {
  return database.transaction(async (sql) => {
    const { dates, from, to } = await prepare(sql, request);
    const made = await sql.query<{ id: number }>(
      `insert into backfill (dag_id, from_date, to_date, reprocess, reverse, max_active_runs, conf, created_by)
       values ($1, $2, $3, $4, $5, $6, $7, $8) returning id::float8 as id`,
      [
        request.dagId,
        from,
        to,
        request.reprocess,
        request.order === "backward",
        request.maxActiveRuns ?? MAX_ACTIVE_RUNS,
        JSON.stringify(request.conf ?? {}),
        request.by,
      ],
    );
    const id = made.rows[0]?.id as number;
    await sql.query(
      `insert into backfill_date (backfill_id, position, logical_date, interval_start, interval_end)
       select $1, n, l, s, e from unnest($2::timestamptz[], $3::timestamptz[], $4::timestamptz[]) with ordinality d (l, s, e, n)`,
      [
        id,
        dates.map((date) => date.logicalDate),
        dates.map((date) => date.interval.start),
        dates.map((date) => date.interval.end),
      ],
    );
    await wakeWith(sql, "qflow_scheduler");
    return id;
  });
}

interface Prepared {
  /** In the order in which they are done. */
  readonly dates: TimetableRun[];
  readonly from: Date;
  readonly to: Date;
}

async function prepare(sql: Sql, request: BackfillRequest): Promise<Prepared> {
  const limit = request.maxActiveRuns ?? MAX_ACTIVE_RUNS;
  if (!Number.isSafeInteger(limit) || limit < 1) throw new QflowError("USAGE", `${limit} is no number of runs`);
  const dag = await lockDag(sql, request.dagId);
  checkParams(dag.spec, request.conf ?? {});
  const dates = backfillDates(dag.spec, request.range, dag.now);
  const from = dates[0]?.logicalDate as Date;
  const to = dates.at(-1)?.logicalDate as Date;
  // guard: backfill-overlap
  await refuseOverlap(sql, dag, { from, to });
  return { dates: request.order === "backward" ? dates.reverse() : dates, from, to };
}

async function refuseOverlap(sql: Sql, { spec }: LockedDag, { from, to }: { from: Date; to: Date }): Promise<void> {
  const found = await sql.query<{ id: number }>(
    `select id::float8 as id from backfill where dag_id = $1 and completed_at is null and from_date <= $3 and to_date >= $2
     order by id limit 1`,
    [spec.dagId, from, to],
  );
  const [other] = found.rows;
  if (!other) return;
  throw new QflowError("CONFLICT", `backfill ${other.id} of DAG ${spec.dagId} has dates in the same period`, {
    remedy: `Wait until it is over, or cancel it: \`qflow backfills cancel ${other.id}\`.`,
  });
}

/** Makes no more runs of it and starts none until it is resumed; what runs goes on. Throws NOT_FOUND, CONFLICT (it is over). */
export async function pauseBackfill(sql: Sql, id: number): Promise<void> {
  await setPaused(sql, id, "true");
}

/** Throws NOT_FOUND, CONFLICT (it is over). */
export async function resumeBackfill(sql: Sql, id: number): Promise<void> {
  await setPaused(sql, id, "false");
  await wakeWith(sql, "qflow_scheduler");
}

async function setPaused(sql: Sql, id: number, paused: "true" | "false"): Promise<void> {
  const result = await sql.query(
    `update backfill set paused = $2::boolean, updated_at = now() where id = $1 and completed_at is null`,
    [id, paused],
  );
  if (result.rowCount === 0) await refuseEnded(sql, id);
}

/**
 * Ends it: no more runs are made, those that have not started are cancelled, those that run go on. Returns how many run. Throws
 * NOT_FOUND, CONFLICT (it is over).
 */
export async function cancelBackfill(sql: Sql, id: number): Promise<{ running: number }> {
  const result = await sql.query<{ running: number | null }>("select cancel_backfill($1) as running", [id]);
  const running = result.rows[0]?.running ?? null;
  if (running === null) return refuseEnded(sql, id);
  await wakeWith(sql, "qflow_scheduler");
  return { running };
}

async function refuseEnded(sql: Sql, id: number): Promise<never> {
  const found = await sql.query("select from backfill where id = $1", [id]);
  if (found.rowCount === 0) throw new QflowError("NOT_FOUND", `there is no backfill ${id}`);
  throw new QflowError("CONFLICT", `backfill ${id} is over`);
}

/** A backfill that may have something to do. */
export interface OpenBackfill {
  readonly id: number;
  readonly dagId: string;
}

/** Backfills that are neither over nor paused, of DAGs that are not paused, with room for a run or none left to make. */
export async function openBackfills(sql: Sql): Promise<OpenBackfill[]> {
  const result = await sql.query<OpenBackfill>(
    `select b.id::float8 as id, b.dag_id as "dagId" from backfill b join dag d on d.dag_id = b.dag_id
     where b.completed_at is null and not b.paused and d.active and not d.paused and b.max_active_runs > (
       select count(*) from dag_run r where r.backfill_id = b.id and r.state in ('queued', 'running'))
     order by b.id`,
  );
  return result.rows;
}

/** What {@link advanceBackfill} did. */
export interface AdvanceReport {
  readonly created: number;
  /** Whether there may be more to do at once. */
  readonly more: boolean;
}

/** Dates looked at in one transaction. */
const BATCH = 200;

/** Makes and starts runs of the backfill's next dates while it has room. Throws PARAMS_INVALID where its conf fits the DAG no more. */
export function advanceBackfill(database: Database, { id, dagId }: OpenBackfill): Promise<AdvanceReport> {
  return database.transaction(async (sql) => {
    const dag = await lockDag(sql, dagId);
    const found = await sql.query<{ conf: Json }>("select conf from backfill where id = $1", [id]);
    const params = checkParams(dag.spec, found.rows[0]?.conf ?? {});
    const result = await sql.query<AdvanceReport & { ready: number }>(
      "select * from advance_backfill($1, $2, $3, $4)",
      [id, dag.versionId, JSON.stringify(params), BATCH],
    );
    const row = result.rows[0];
    if ((row?.ready ?? 0) > 0) await wakeWith(sql, "qflow_work");
    return { created: row?.created ?? 0, more: row?.more ?? false };
  });
}
