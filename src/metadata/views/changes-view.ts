/** Reads what changed lately, each change once, in whatever order transactions end. */
import type { Sql } from "../database.ts";

/** Up to where changes have been read. */
export interface ChangesCursor {
  /** Whatever is written by a transaction that ends later has a later time, by the database's clock. */
  readonly since: Date;
  /** Whatever a transaction of a lower id has written was there to be read. */
  readonly xmin: string;
}

/** What changed since a cursor. */
export interface Changes {
  readonly runs: { dag_id: string; dag_run_id: string }[];
  readonly dags: string[];
  readonly datasets: string[];
}

/**
 * Rows carry the time at which their transaction began or wrote, and are seen when it has ended: the oldest that is open says from
 * when on something may still come. One that is open for long must not make every look read all that came since.
 */
const SINCE_SQL = `
  select greatest(clock_timestamp() - interval '15 seconds', least(clock_timestamp(), min(xact_start))) as since
  from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`;

/** Another role's transactions are not ours to see. */
const OVERLAP = "interval '1 second'";

const AFTER = `> $1::timestamptz - ${OVERLAP}`;

const CHANGES_SQL = `
  with touched as (
    select dag_run_id as id from task_event where at ${AFTER} and age(xmin) <= age($2::text::xid)
    union
    select id from dag_run where id in (select id from dag_run order by id desc limit 200)
      and greatest(queued_at, started_at, ended_at, cancel_requested_at) ${AFTER} and age(xmin) <= age($2::text::xid)
    union
    select id from dag_run where ended_at ${AFTER} and age(xmin) <= age($2::text::xid)
  )
  select pg_snapshot_xmin(pg_current_snapshot())::xid::text as xmin,
    (select coalesce(json_agg(json_build_object('dag_id', r.dag_id, 'dag_run_id', r.run_id)), '[]')
       from dag_run r where r.id in (select id from touched)) as runs,
    array(select dag_id from dag where updated_at ${AFTER} and age(xmin) <= age($2::text::xid)) as dags,
    array(select d.name from catalog_dataset d join lineage_io o on o.dataset_id = d.dataset_id
      where o.direction = 'out' and o.at ${AFTER} and age(o.xmin) <= age($2::text::xid)
      union select dataset from dataset_event where id > (select coalesce(max(id), 0) - 200 from dataset_event)
        and at ${AFTER} and age(xmin) <= age($2::text::xid)) as datasets`;

/** Where a reader begins: nothing that ended before is told. */
export async function changesFromNow(sql: Sql): Promise<ChangesCursor> {
  const since = await openSince(sql);
  const found = await sql.query<{ xmin: string }>("select pg_snapshot_xmin(pg_current_snapshot())::xid::text as xmin");
  return { since, xmin: found.rows[0]?.xmin ?? "" };
}

/** What changed since the cursor, and where to go on from. A change is told twice only where an older transaction was writing still. */
export async function readChanges(sql: Sql, from: ChangesCursor): Promise<Changes & { readonly next: ChangesCursor }> {
  // Asked first: what is open when the changes are read, and not now, begins later than this.
  const since = await openSince(sql);
  const found = await sql.query<Changes & { xmin: string }>(CHANGES_SQL, [from.since, from.xmin]);
  const { xmin, ...changes } = found.rows[0] as Changes & { xmin: string };
  return { ...changes, next: { since, xmin } };
}

async function openSince(sql: Sql): Promise<Date> {
  const found = await sql.query<{ since: Date }>(SINCE_SQL);
  return found.rows[0]?.since as Date;
}
