/** Dataset events of DAGs that run once a partition: they wait, one row each, until their partition is complete. */
import type { Sql } from "./database.ts";

/** Most events of one dataset that one look takes in; the rest waits for the next. */
const EVENT_LIMIT = 10_000;

/** A partition, and what has happened to it. */
export interface WaitingPartition {
  /** Empty for events that name none. */
  readonly partition: string;
  /** Datasets with an event of it. */
  readonly datasets: readonly string[];
}

/** Takes in what came after the consumer's cursors; the caller holds its lock. Returns the partitions that have new events. */
export async function takeInEvents(sql: Sql, dagId: string): Promise<string[]> {
  // guard: partition-cursor
  const result = await sql.query<{ partition: string }>(
    `with fresh as materialized (
       select e.id, e.dataset, coalesce(e.partition, '') as partition from dataset_cursor c
       cross join lateral (
         select * from dataset_event e where e.dataset = c.dataset and e.id > c.event_id order by e.id limit $2) e
       where c.dag_id = $1
     ), waiting as (
       insert into dataset_waiting (dag_id, event_id, dataset, partition) select $1, id, dataset, partition from fresh
       on conflict do nothing
     ), moved as (
       update dataset_cursor c set event_id = m.id from (select dataset, max(id) as id from fresh group by dataset) m
       where c.dag_id = $1 and c.dataset = m.dataset
     )
     select distinct partition from fresh`,
    [dagId, EVENT_LIMIT],
  );
  return result.rows.map((row) => row.partition);
}

/** What waits of these partitions (default: of all). */
export async function waitingPartitions(
  sql: Sql,
  dagId: string,
  partitions?: readonly string[],
): Promise<WaitingPartition[]> {
  const result = await sql.query<WaitingPartition>(
    `select partition, array_agg(distinct dataset) as datasets from dataset_waiting
     where dag_id = $1 and ($2::text[] is null or partition = any ($2)) group by partition`,
    [dagId, partitions ?? null],
  );
  return result.rows;
}

/** What waits of every partition, with what came after the consumer's cursors; takes nothing in. */
export async function partitionsAhead(
  sql: Sql,
  dagId: string,
  datasets: readonly string[],
): Promise<WaitingPartition[]> {
  const result = await sql.query<WaitingPartition>(
    `select partition, array_agg(distinct dataset) as datasets from (
       select partition, dataset from dataset_waiting where dag_id = $1
       union all
       select coalesce(e.partition, ''), e.dataset from dataset_cursor c
       join dataset_event e on e.dataset = c.dataset and e.id > c.event_id where c.dag_id = $1 and c.dataset = any ($2)) ahead
     group by partition`,
    [dagId, datasets],
  );
  return result.rows;
}

/** Says which partitions are complete and which are not (any more). */
export async function markPartitions(
  sql: Sql,
  dagId: string,
  { ready, waiting }: { ready: readonly string[]; waiting: readonly string[] },
): Promise<void> {
  await sql.query(
    `update dataset_waiting set ready = partition = any ($2)
     where dag_id = $1 and partition = any ($2::text[] || $3::text[]) and ready <> (partition = any ($2))`,
    [dagId, ready, waiting],
  );
}

/** Up to `limit` complete partitions, the one that waits longest first. */
export async function readyPartitions(sql: Sql, dagId: string, limit: number): Promise<string[]> {
  // guard: partition-complete
  const result = await sql.query<{ partition: string }>(
    `select partition from dataset_waiting where dag_id = $1 and ready group by partition order by min(event_id) limit $2`,
    [dagId, limit],
  );
  return result.rows.map((row) => row.partition);
}

/** Id of the newest event that waits of a partition. */
export async function newestOf(sql: Sql, dagId: string, partition: string): Promise<number> {
  const result = await sql.query<{ id: number }>(
    "select max(event_id)::float8 as id from dataset_waiting where dag_id = $1 and partition = $2",
    [dagId, partition],
  );
  return result.rows[0]?.id ?? 0;
}

/** Makes what waits of a partition the events that started a run. */
export async function consumePartition(sql: Sql, dagId: string, runKey: number, partition: string): Promise<void> {
  // guard: partition-once
  await sql.query(
    `with taken as (
       delete from dataset_waiting where dag_id = $1 and partition = $3 returning event_id
     )
     insert into dag_run_event (dag_run_id, event_id) select $2, event_id from taken`,
    [dagId, runKey, partition],
  );
}
