/** Reads the state of the platform itself: processes, and what changed lately. */
import type { Sql } from "../database.ts";
import { SCHEDULER_ALIVE_SECONDS } from "../scheduler-sessions.ts";

/** Signs of life of the other processes. */
export interface Pulse {
  /** Workers whose lease runs. */
  readonly workers: number;
  readonly workerAt: Date | null;
  /** Schedulers that have looked lately. */
  readonly schedulers: number;
  readonly schedulerAt: Date | null;
}

/** Who lives: by the leases of workers, and by the last looks of schedulers. */
export async function readPulse(sql: Sql): Promise<Pulse> {
  const found = await sql.query<Pulse>(
    `select w.n::int as workers, w.at as "workerAt", s.n::int as schedulers, s.at as "schedulerAt"
     from (select count(*) filter (where state in ('active', 'draining') and lease_expires_at > now()) as n, max(heartbeat_at) as at
             from worker where state in ('active', 'draining') or ended_at > now() - interval '1 day') w,
          (select count(*) filter (where looked_at > now() - make_interval(secs => $1)) as n, max(looked_at) as at from scheduler) s`,
    [SCHEDULER_ALIVE_SECONDS],
  );
  return found.rows[0] ?? { workers: 0, workerAt: null, schedulers: 0, schedulerAt: null };
}

/** What changed after `since` (database time); `now` is where to go on from. */
export interface Changes {
  readonly now: Date;
  readonly runs: { dag_id: string; dag_run_id: string }[];
  readonly dags: string[];
  readonly datasets: string[];
}

/** A transaction may become visible a little after the time it wrote: looks back this much, so a change can be told twice. */
const OVERLAP = "interval '1 second'";

const CHANGES_SQL = `
  with touched as (
    select distinct dag_run_id as id from task_event where at > $1::timestamptz - ${OVERLAP}
    union
    select id from dag_run where id in (select id from dag_run order by id desc limit 200)
      and greatest(queued_at, started_at, ended_at, cancel_requested_at) > $1::timestamptz - ${OVERLAP}
    union
    select id from dag_run where ended_at > $1::timestamptz - ${OVERLAP}
  )
  select clock_timestamp() as now,
    (select coalesce(json_agg(json_build_object('dag_id', r.dag_id, 'dag_run_id', r.run_id)), '[]')
       from dag_run r where r.id in (select id from touched)) as runs,
    array(select dag_id from dag where updated_at > $1::timestamptz - ${OVERLAP}) as dags,
    array(select distinct d.name from catalog_dataset d join lineage_io o on o.dataset_id = d.dataset_id
      where o.direction = 'out' and o.at > $1::timestamptz - ${OVERLAP}
      union select dataset from dataset_event where id > (select coalesce(max(id), 0) - 200 from dataset_event)
        and at > $1::timestamptz - ${OVERLAP}) as datasets`;

/** Reads what changed after `since`. */
export async function readChanges(sql: Sql, since: Date): Promise<Changes> {
  const found = await sql.query<Changes>(CHANGES_SQL, [since]);
  return found.rows[0] as Changes;
}

/** The database's clock. */
export async function databaseNow(sql: Sql): Promise<Date> {
  const found = await sql.query<{ now: Date }>("select clock_timestamp() as now");
  return found.rows[0]?.now as Date;
}
