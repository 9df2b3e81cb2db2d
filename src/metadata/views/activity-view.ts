/** Whether anything is under way or about to be: what a program asks that waits for the platform to come to rest. */
import type { ScheduleSpec } from "../../dag/spec.ts";
import type { Sql } from "../database.ts";

/** A DAG that has dataset events waiting for it. */
export interface WaitingConsumer {
  readonly dagId: string;
  readonly schedule: ScheduleSpec;
  /** Datasets with events it has not consumed. */
  readonly datasets: readonly string[];
  /** Whether a partition is complete that has no run yet; of DAGs that run once a partition. */
  readonly ready: boolean;
}

/** A run that has not ended, or ended in failure. */
export interface NotableRun {
  readonly id: number;
  readonly dagId: string;
  readonly runId: string;
  readonly state: string;
}

/** Runs that are queued or running, those made by the clock excepted: they come and go for ever. */
export async function activeRuns(sql: Sql): Promise<NotableRun[]> {
  const found = await sql.query<NotableRun>(
    `select id::float8 as id, dag_id as "dagId", run_id as "runId", state from dag_run
      where state in ('queued', 'running') and kind <> 'scheduled' order by id`,
  );
  return found.rows;
}

/** For every dataset-scheduled DAG its newest runs that failed, oldest first; `afterId` leaves out runs up to that one. */
export async function failedRuns(sql: Sql, afterId: number): Promise<NotableRun[]> {
  const found = await sql.query<NotableRun>(
    `select r.id::float8 as id, r.dag_id as "dagId", r.run_id as "runId", r.state from dag_run r join dag d using (dag_id)
      where r.state = 'failed' and r.id > $1 and r.kind <> 'scheduled' and d.active and not d.paused order by r.id`,
    [afterId],
  );
  return found.rows;
}

/** Active DAGs that are not paused and have events waiting. */
export async function waitingConsumers(sql: Sql): Promise<WaitingConsumer[]> {
  const found = await sql.query<WaitingConsumer>(
    `select d.dag_id as "dagId", d.schedule, coalesce(array_agg(c.dataset) filter (where c.waits), '{}') as datasets, w.ready
       from dag d
       cross join lateral (
         select dataset, exists (select from dataset_event e where e.dataset = k.dataset and e.id > k.event_id) as waits
         from dataset_cursor k where k.dag_id = d.dag_id) c
       cross join lateral (
         select exists (select from dataset_waiting w where w.dag_id = d.dag_id and w.ready) as ready) w
      where d.active and not d.paused and d.schedule ->> 'kind' = 'datasets'
      group by d.dag_id, w.ready having w.ready or bool_or(c.waits)`,
  );
  return found.rows;
}
