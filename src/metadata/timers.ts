/** Waiting instances whose time has come. */
import type { Sql } from "./database.ts";
import { wakeWith } from "./wake.ts";

const BATCH = 500;

/** What {@link queueDueRetries} did. */
export interface RetryReport {
  readonly queued: number;
  /** Milliseconds until the next one is due; null where none waits. */
  readonly nextInMs: number | null;
}

/** Queues instances whose wait for the next try is over; several schedulers share them. */
export async function queueDueRetries(sql: Sql): Promise<RetryReport> {
  const result = await sql.query<{ queued: number; next_in_ms: number | null }>(
    // guard: retry-share
    `with due as (
       select id from task_instance where state = 'up_for_retry' and wake_at <= now() order by wake_at limit $1 for update skip locked
     ), moved as (
       update task_instance t set state = 'queued', queued_at = now(), wake_at = null from due where t.id = due.id
       returning t.id, t.dag_run_id
     ), history as (
       insert into task_event (task_instance_id, dag_run_id, from_state, to_state) select id, dag_run_id, 'up_for_retry', 'queued' from moved
     )
     select (select count(*)::integer from moved) as queued, (
       select extract(epoch from min(wake_at) - now())::float8 * 1000 from task_instance
       where state = 'up_for_retry' and wake_at > now()) as next_in_ms`,
    [BATCH],
  );
  const row = result.rows[0];
  return { queued: row?.queued ?? 0, nextInMs: row?.next_in_ms ?? null };
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
