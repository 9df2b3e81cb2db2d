/** Dataset events that wait for DAGs which are scheduled on them. */
import type { DagSpec, Json } from "../dag/spec.ts";
import type { Sql } from "./database.ts";

/** A DAG with waiting events and room for a run; its row is locked. */
export interface DatasetConsumer {
  readonly dagId: string;
  readonly versionId: number;
  readonly spec: DagSpec;
  /** Whether its schedule has changed since its events were looked at. */
  readonly replan: boolean;
  /** How many runs it may get now. */
  readonly room: number;
  /** The database's clock. */
  readonly now: Date;
}

/** A dataset event that a consumer has not had. */
export interface WaitingEvent {
  readonly id: number;
  readonly dataset: string;
  readonly extra: Json;
}

/** Most events of one dataset that one look takes; the rest waits for the next. Many of one must not hide those of another. */
const EVENT_LIMIT = 10_000;

/** Names of unpaused DAGs with events to look at and room for a run. */
export async function waitingConsumers(sql: Sql): Promise<string[]> {
  const result = await sql.query<{ dag_id: string }>(
    `select d.dag_id from dag d
     where d.active and not d.paused and d.schedule ->> 'kind' = 'datasets' and (d.plan_pending
       or exists (select from dataset_cursor c where c.dag_id = d.dag_id
         and exists (select from dataset_event e where e.dataset = c.dataset and e.id > c.event_id))
       or exists (select from dataset_waiting w where w.dag_id = d.dag_id and (w.ready or d.schedule ->> 'consume' <> 'partition')))
       and (select count(*) from dag_run r where r.dag_id = d.dag_id and r.state in ('queued', 'running') and r.backfill_id is null) < d.max_active_runs
     order by d.dag_id`,
  );
  return result.rows.map((row) => row.dag_id);
}

/** Locks a consumer; null where another scheduler has it, or it may not run any more. */
export async function lockConsumer(sql: Sql, dagId: string): Promise<DatasetConsumer | null> {
  const locked = await sql.query(
    // guard: consumer-share
    "select from dag where dag_id = $1 and active and not paused for no key update skip locked",
    [dagId],
  );
  if (locked.rowCount === 0) return null;
  // Counted in a statement after the one that took the lock.
  const result = await sql.query<DatasetConsumer>(
    `select d.dag_id as "dagId", v.id::float8 as "versionId", v.spec, now() as now, d.plan_pending as replan, d.max_active_runs - (
       select count(*) from dag_run r where r.dag_id = d.dag_id and r.state in ('queued', 'running') and r.backfill_id is null)::integer as room
     from dag d join dag_version v on v.id = d.version_id where d.dag_id = $1`,
    [dagId],
  );
  return result.rows[0] ?? null;
}

/** Marks the consumer's schedule as looked at. */
export async function markPlanned(sql: Sql, dagId: string): Promise<void> {
  await sql.query("update dag set plan_pending = false where dag_id = $1", [dagId]);
}

/**
 * The consumer's waiting events in the order they were recorded: those after its cursors, and those that its cursors passed while
 * it was scheduled by partitions.
 */
export async function waitingEvents(sql: Sql, dagId: string): Promise<WaitingEvent[]> {
  const result = await sql.query<WaitingEvent>(
    `select e.id::float8 as id, e.dataset, e.extra from dataset_cursor c
     cross join lateral (
       select * from dataset_event e where e.dataset = c.dataset and e.id > c.event_id order by e.id limit $2) e
     where c.dag_id = $1
     union all
     select w.event_id::float8, w.dataset, e.extra from (
       select * from dataset_waiting where dag_id = $1 order by event_id limit $2) w
     join dataset_event e on e.id = w.event_id
     order by id`,
    [dagId, EVENT_LIMIT],
  );
  return result.rows;
}

/** Marks events as those that started a run, and moves the consumer's cursors past them. */
export async function consumeEvents(
  sql: Sql,
  dagId: string,
  runKey: number,
  eventIds: readonly number[],
): Promise<void> {
  // guard: consume-once, waiting-once
  await sql.query(
    `with taken as (
       insert into dag_run_event (dag_run_id, event_id) select $2, e from unnest($3::bigint[]) e
     ), passed as (
       delete from dataset_waiting where dag_id = $1 and event_id = any ($3)
     )
     update dataset_cursor c set event_id = greatest(c.event_id, m.id)
     from (select dataset, max(id) as id from dataset_event where id = any ($3) group by dataset) m
     where c.dag_id = $1 and c.dataset = m.dataset`,
    [dagId, runKey, eventIds],
  );
}
