/** Dataset events that wait for DAGs which are scheduled on them. */
import type { DagSpec, Json } from "../dag/spec.ts";
import type { Sql } from "./database.ts";

/** A DAG with waiting events and room for a run; its row is locked. */
export interface DatasetConsumer {
  readonly dagId: string;
  readonly versionId: number;
  readonly spec: DagSpec;
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

/** Names of unpaused DAGs with waiting events and room for a run. */
export async function waitingConsumers(sql: Sql): Promise<string[]> {
  const result = await sql.query<{ dag_id: string }>(
    `select d.dag_id from dag d
     where d.active and not d.paused and d.schedule ->> 'kind' = 'datasets'
       and exists (select from dataset_cursor c where c.dag_id = d.dag_id
         and exists (select from dataset_event e where e.dataset = c.dataset and e.id > c.event_id))
       and (select count(*) from dag_run r where r.dag_id = d.dag_id and r.state in ('queued', 'running')) < d.max_active_runs
     order by d.dag_id`,
  );
  return result.rows.map((row) => row.dag_id);
}

/** Locks a consumer; null where another scheduler has it, or it may not run any more. */
export async function lockConsumer(sql: Sql, dagId: string): Promise<DatasetConsumer | null> {
  const locked = await sql.query(
    "select from dag where dag_id = $1 and active and not paused for no key update skip locked",
    [dagId],
  );
  if (locked.rowCount === 0) return null;
  // Counted in a statement after the one that took the lock.
  const result = await sql.query<DatasetConsumer>(
    `select d.dag_id as "dagId", v.id::float8 as "versionId", v.spec, now() as now, d.max_active_runs - (
       select count(*) from dag_run r where r.dag_id = d.dag_id and r.state in ('queued', 'running'))::integer as room
     from dag d join dag_version v on v.id = d.version_id where d.dag_id = $1`,
    [dagId],
  );
  return result.rows[0] ?? null;
}

/** The consumer's waiting events in the order they were recorded. */
export async function waitingEvents(sql: Sql, dagId: string): Promise<WaitingEvent[]> {
  const result = await sql.query<WaitingEvent>(
    `select e.id::float8 as id, e.dataset, e.extra from dataset_cursor c
     cross join lateral (
       select * from dataset_event e where e.dataset = c.dataset and e.id > c.event_id order by e.id limit $2) e
     where c.dag_id = $1 order by e.id`,
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
  await sql.query(
    `with taken as (
       insert into dag_run_event (dag_run_id, event_id) select $2, e from unnest($3::bigint[]) e
     )
     update dataset_cursor c set event_id = m.id
     from (select dataset, max(id) as id from dataset_event where id = any ($3) group by dataset) m
     where c.dag_id = $1 and c.dataset = m.dataset`,
    [dagId, runKey, eventIds],
  );
}
