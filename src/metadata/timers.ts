/** Waiting instances whose time has come. */
import type { Sql } from "./database.ts";
import { wakeWith } from "./wake.ts";

const BATCH = 500;

/** Queues instances whose wait for the next try is over; several schedulers share them. Returns how many. */
export async function queueDueRetries(sql: Sql): Promise<number> {
  const result = await sql.query<{ queued: number }>(
    // guard: retry-share
    `with due as (
       select id from task_instance where state = 'up_for_retry' and wake_at <= now() order by wake_at limit $1 for update skip locked
     ), moved as (
       update task_instance t set state = 'queued', queued_at = now(), wake_at = null from due where t.id = due.id
       returning t.id, t.dag_run_id
     ), history as (
       insert into task_event (task_instance_id, dag_run_id, from_state, to_state) select id, dag_run_id, 'up_for_retry', 'queued' from moved
     )
     select count(*)::integer as queued from moved`,
    [BATCH],
  );
  return result.rows[0]?.queued ?? 0;
}

/** What {@link expireClocks} did. */
export interface ExpiryReport {
  /** Runs that timed out. */
  readonly runs: number;
  /** Instances that were not started in time. */
  readonly instances: number;
}

/**
 * Ends runs that are past their timeout, and fails instances that were queued too long or not started in time; workers hear of
 * what they are to end, and of what became ready. Several schedulers share them.
 */
export async function expireClocks(sql: Sql): Promise<ExpiryReport> {
  const result = await sql.query<{ runs: number; expired: number; queued: number }>(
    "select (select expire_runs($1)) as runs, e.expired, e.queued from expire_instances($1) e",
    [BATCH],
  );
  const { runs, expired, queued } = result.rows[0] as { runs: number; expired: number; queued: number };
  if (runs + queued > 0) await wakeWith(sql, "qflow_work");
  return { runs, instances: expired };
}
