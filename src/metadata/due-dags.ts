/** DAGs whose clock has ticked, and what was decided about them. */
import type { DagSpec, Json } from "../dag/spec.ts";
import type { TimetableRun } from "../dag/timetable.ts";
import type { Sql } from "./database.ts";
import { wakeWith } from "./wake.ts";

/** A DAG that may need a decision. */
export interface DueDag {
  readonly dagId: string;
  readonly versionId: number;
  readonly spec: DagSpec;
  readonly paused: boolean;
  readonly createdAt: Date;
  /** Ticks up to here are settled. */
  readonly settledUntil: Date | null;
  /** How many runs it may get now; none or less: only its next tick is to be worked out. */
  readonly room: number;
  /** Continuous schedule: its newest scheduled runs, the newest first. Null otherwise, or where there are none. */
  readonly recent: readonly { readonly state: string; readonly at: string }[] | null;
  /** The database's clock. */
  readonly now: Date;
}

/** What was decided about a DAG. */
export interface DuePlan {
  readonly dagId: string;
  readonly versionId: number;
  readonly run: (TimetableRun & { readonly params: Json }) | null;
  /** Due ticks that get no run. */
  readonly skipped: number;
  readonly settledUntil: Date | null;
  readonly next: TimetableRun | null;
}

/** Most of the newest runs that are looked at. */
const RECENT = 10;

/** Locks up to `limit` DAGs that are due and have room for a run, or whose next tick is unknown; others' are passed over. */
export async function lockDueDags(sql: Sql, limit: number): Promise<DueDag[]> {
  const locked = await sql.query<{ dag_id: string }>(
    // guard: due-share
    `select d.dag_id from dag d
     where d.active and d.version_id is not null and d.schedule ->> 'kind' not in ('datasets', 'messages') and (d.plan_pending
       or not d.paused and d.next_run_after <= now() and (
         select count(*) from dag_run r where r.dag_id = d.dag_id and r.state in ('queued', 'running') and r.backfill_id is null) < d.max_active_runs)
     order by d.next_run_after nulls first, d.dag_id limit $1 for no key update of d skip locked`,
    [limit],
  );
  // Counted in a statement after the one that took the locks.
  return locked.rowCount === 0
    ? []
    : readDueDags(
        sql,
        locked.rows.map((row) => row.dag_id),
      );
}

/** What decides about the runs of active DAGs with a clock schedule (default: of all), as it is now. */
export async function readDueDags(sql: Sql, dagIds?: readonly string[]): Promise<DueDag[]> {
  const result = await sql.query<DueDag>(
    `select d.dag_id as "dagId", v.id::float8 as "versionId", v.spec, d.paused, d.created_at as "createdAt",
       d.scheduled_until as "settledUntil", now() as now, d.max_active_runs - (
         select count(*) from dag_run r where r.dag_id = d.dag_id and r.state in ('queued', 'running') and r.backfill_id is null)::integer as room,
       case when d.schedule ->> 'kind' = 'continuous' then (
         select json_agg(json_build_object('state', n.state, 'at', coalesce(n.started_at, n.queued_at)) order by n.id desc) from (
           select * from dag_run r where r.dag_id = d.dag_id and r.kind = 'scheduled' order by r.id desc limit $2) n) end as recent
     from dag d join dag_version v on v.id = d.version_id
     where ($1::text[] is null or d.dag_id = any ($1)) and d.active and d.schedule ->> 'kind' not in ('datasets', 'messages')
     order by d.next_run_after nulls first, d.dag_id`,
    [dagIds ?? null, RECENT],
  );
  return result.rows;
}

/** Writes the plans of locked DAGs in one statement; starts the runs. Returns how many runs are new. */
export async function applyPlans(sql: Sql, plans: readonly DuePlan[]): Promise<number> {
  const result = await sql.query<{ created: number; ready: number }>("select * from apply_plans($1)", [
    JSON.stringify(plans.map(planRow)),
  ]);
  const row = result.rows[0];
  if ((row?.ready ?? 0) > 0) await wakeWith(sql, "qflow_work");
  return row?.created ?? 0;
}

function planRow(plan: DuePlan) {
  return {
    dag_id: plan.dagId,
    version_id: plan.versionId,
    run: plan.run && {
      ...tick(plan.run),
      run_id: `scheduled__${plan.run.logicalDate.toISOString()}`,
      params: plan.run.params,
    },
    skipped: plan.skipped,
    settled: plan.settledUntil,
    next: plan.next && tick(plan.next),
  };
}

function tick(run: TimetableRun) {
  return { logical: run.logicalDate, start: run.interval.start, end: run.interval.end, run_after: run.runAfter };
}

/** DAGs with queued runs that may have room to start. */
export async function startableDags(sql: Sql): Promise<string[]> {
  const result = await sql.query<{ dag_id: string }>(
    `select d.dag_id from dag d where d.active and not d.paused
       and (d.dag_id in (select dag_id from dag_run where state = 'queued' and run_after <= now() and backfill_id is null)
           and (select count(*) from dag_run r
             where r.dag_id = d.dag_id and r.state = 'running' and r.backfill_id is null) < d.max_active_runs
         or d.dag_id in (
           select r.dag_id from dag_run r join backfill b on b.id = r.backfill_id
           where r.state = 'queued' and r.run_after <= now() and (b.completed_at is not null or not b.paused) and b.max_active_runs > (
             select count(*) from dag_run o where o.backfill_id = b.id and o.state = 'running')))`,
  );
  return result.rows.map((row) => row.dag_id);
}
