/** Reads backfills as lists and pages show them. */
import type { Json } from "../../dag/spec.ts";
import { QflowError } from "../../errors.ts";
import type { Reprocess } from "../backfills.ts";
import type { Sql } from "../database.ts";
import { Filter, orderClause, type Page, type Slice } from "./filter.ts";

/** A backfill with its progress, in dates and runs. */
export interface BackfillRow {
  readonly id: number;
  readonly dag_id: string;
  readonly from_date: Date;
  readonly to_date: Date;
  readonly reprocess: Reprocess;
  readonly reverse: boolean;
  readonly max_active_runs: number;
  readonly conf: Json;
  readonly state: "running" | "paused" | "completed" | "cancelled";
  readonly paused: boolean;
  /** Whether its DAG is paused: then it waits, too. */
  readonly dag_paused: boolean;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly completed_at: Date | null;
  readonly created_by: string;
  readonly progress: BackfillProgress;
}

/** How far a backfill is: all dates, those to come, those that need no run, and the runs of the others by state. */
export interface BackfillProgress {
  readonly dates: number;
  readonly pending: number;
  /** Dates that got no run: they had one, or one under way, or the schedule is still to come to them. */
  readonly left_out: number;
  readonly queued: number;
  readonly running: number;
  readonly success: number;
  readonly failed: number;
}

/** Names a list of backfills can be ordered by. */
export const BACKFILL_ORDER = {
  id: "b.id",
  dag_id: "b.dag_id",
  from_date: "b.from_date",
  to_date: "b.to_date",
  created_at: "b.created_at",
  completed_at: "b.completed_at",
} as const;

/** What a list of backfills can be narrowed by. */
export interface BackfillFilter {
  readonly id?: number | undefined;
  readonly dagId?: string | undefined;
  /** Only those that are over, or are not. */
  readonly active?: boolean | undefined;
}

/** Lists backfills. */
export async function listBackfills(sql: Sql, wanted: BackfillFilter, slice: Slice): Promise<Page<BackfillRow>> {
  const filter = new Filter()
    .add("b.id = $", wanted.id)
    .add("b.dag_id = $", wanted.dagId)
    .add("(b.completed_at is null) = $", wanted.active);
  const counted = await sql.query<{ n: string }>(`select count(*) as n from backfill b ${filter.sql}`, filter.values);
  const limit = `limit ${filter.bind(slice.limit)} offset ${filter.bind(slice.offset)}`;
  const found = await sql.query<BackfillRow>(
    `select b.id::float8 as id, b.dag_id, b.from_date, b.to_date, b.reprocess, b.reverse, b.max_active_runs, b.conf, b.paused,
       d.paused as dag_paused, b.created_at, b.updated_at, b.completed_at, b.created_by,
       case when b.cancelled then 'cancelled' when b.completed_at is not null then 'completed' when b.paused then 'paused'
         else 'running' end as state,
       json_build_object('dates', n.dates, 'pending', n.pending, 'left_out', n.left_out, 'queued', r.queued, 'running', r.running,
         'success', r.success, 'failed', r.failed) as progress
     from (select * from backfill b ${filter.sql} ${orderClause(slice, BACKFILL_ORDER, "b.id desc")} ${limit}) b
     join dag d on d.dag_id = b.dag_id
     cross join lateral (
       select count(*)::integer as dates, (count(*) filter (where outcome is null))::integer as pending,
         (count(*) filter (where outcome in ('exists', 'in_flight', 'scheduled')))::integer as left_out
       from backfill_date where backfill_id = b.id) n
     cross join lateral (
       select (count(*) filter (where state = 'queued'))::integer as queued, (count(*) filter (where state = 'running'))::integer as running,
         (count(*) filter (where state = 'success'))::integer as success, (count(*) filter (where state = 'failed'))::integer as failed
       from dag_run where backfill_id = b.id) r
     ${orderClause(slice, BACKFILL_ORDER, "b.id desc")}`,
    filter.values,
  );
  return { rows: found.rows, total: Number(counted.rows[0]?.n) };
}

/** One backfill. Throws NOT_FOUND. */
export async function getBackfill(sql: Sql, id: number): Promise<BackfillRow> {
  const { rows } = await listBackfills(sql, { id }, { limit: 1, offset: 0, orderBy: [] });
  if (rows[0]) return rows[0];
  throw new QflowError("NOT_FOUND", `there is no backfill ${id}`);
}
