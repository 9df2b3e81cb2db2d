/** Reads what /metrics shows. Every query is bounded by work under way or by the last minute, never by history. */
import type { Sql } from "../database.ts";
import { SCHEDULER_ALIVE_SECONDS } from "../scheduler-sessions.ts";

/** One value, with its labels. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric as Prometheus knows it. */
export interface Metric {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  readonly samples: readonly Sample[];
}

interface MetricQuery {
  readonly name: string;
  readonly type: Metric["type"];
  readonly help: string;
  /** Rows of `value`, and of `label` where the metric has one. */
  readonly sql: string;
  readonly label?: string;
}

const ACTIVE = "state in ('queued', 'running', 'up_for_retry', 'deferred', 'up_for_reschedule')";

const QUERIES: readonly MetricQuery[] = [
  {
    name: "qflow_dag_runs",
    type: "gauge",
    help: "Runs that are not over, by state.",
    label: "state",
    sql: "select state as label, count(*) as value from dag_run where state in ('queued', 'running') group by state",
  },
  {
    name: "qflow_task_instances",
    type: "gauge",
    help: "Task instances under way, by state.",
    label: "state",
    sql: `select state as label, count(*) as value from task_instance where ${ACTIVE} group by state`,
  },
  {
    name: "qflow_pool_slots",
    type: "gauge",
    help: "Slots of a pool.",
    label: "pool",
    sql: "select name as label, slots as value from pool",
  },
  {
    name: "qflow_pool_running_slots",
    type: "gauge",
    help: "Slots that running task instances hold.",
    label: "pool",
    sql: `select p.name as label, coalesce(sum(t.pool_slots), 0) as value
      from pool p left join task_instance t on t.pool = p.name and t.state = 'running' group by p.name`,
  },
  {
    name: "qflow_pool_queued_slots",
    type: "gauge",
    help: "Slots that queued task instances ask for.",
    label: "pool",
    sql: `select p.name as label, coalesce(sum(t.pool_slots), 0) as value
      from pool p left join task_instance t on t.pool = p.name and t.state = 'queued' group by p.name`,
  },
  {
    name: "qflow_pool_oldest_queued_seconds",
    type: "gauge",
    help: "How long the oldest queued task instance of a pool has waited.",
    label: "pool",
    sql: `select pool as label, extract(epoch from now() - min(queued_at)) as value from task_instance where state = 'queued' group by pool`,
  },
  {
    name: "qflow_topic_lag_messages",
    type: "gauge",
    help: "Messages of a topic that a DAG, or a task that consumes it, has not read, as it was looked at last.",
    label: "consumer",
    sql: `select dag_id as label, sum(greatest(0, end_offset - next_offset)) as value from message_cursor group by dag_id
      union all select consumer, sum(greatest(0, end_offset - next_offset)) from consumer_offset group by consumer`,
  },
  {
    name: "qflow_messages_waiting",
    type: "gauge",
    help: "Messages that were read and wait for a run of their DAG.",
    label: "dag_id",
    sql: "select dag_id as label, count(*) as value from message_inbox where taken_at is null group by dag_id",
  },
  {
    name: "qflow_dead_messages",
    type: "gauge",
    help: "Messages that could not be used and were not tried again.",
    label: "dag_id",
    sql: "select dag_id as label, count(*) as value from dead_message where replayed_at is null group by dag_id",
  },
  {
    name: "qflow_schedulers",
    type: "gauge",
    help: "Schedulers that have looked lately.",
    sql: `select count(*) as value from scheduler where looked_at > now() - interval '${SCHEDULER_ALIVE_SECONDS} s'`,
  },
  {
    name: "qflow_scheduler_look_seconds",
    type: "gauge",
    help: "How long the last look of a scheduler took, the longest of all.",
    sql: `select max(look_ms) / 1000.0 as value from scheduler where looked_at > now() - interval '${SCHEDULER_ALIVE_SECONDS} s'`,
  },
  {
    name: "qflow_scheduler_lag_seconds",
    type: "gauge",
    help: "How late the most overdue decision is: a tick with room for its run, a retry, a wait.",
    sql: `select greatest(0, extract(epoch from now() - least(
        (select min(d.next_run_after) from dag d where d.active and not d.paused and d.next_run_after <= now() and (
          select count(*) from dag_run r where r.dag_id = d.dag_id and r.state in ('queued', 'running') and r.backfill_id is null) < d.max_active_runs),
        (select min(wake_at) from task_instance where state = 'up_for_retry'),
        (select min(wake_at) from task_wait)))) as value`,
  },
  {
    name: "qflow_workers",
    type: "gauge",
    help: "Workers whose lease runs.",
    sql: "select count(*) as value from worker where state in ('active', 'draining') and lease_expires_at > now()",
  },
  {
    name: "qflow_fenced_writes_total",
    type: "counter",
    help: "Writes of attempts that no longer owned their task; none of them changed anything.",
    sql: "select value from metric_counter where name = 'fenced_writes'",
  },
  {
    name: "qflow_rescued_attempts_total",
    type: "counter",
    help: "Attempts of workers that were gone.",
    sql: "select value from metric_counter where name = 'rescued_attempts'",
  },
  {
    name: "qflow_notifications",
    type: "gauge",
    help: "The outbox: what is still to be sent, and what was given up.",
    label: "state",
    sql: "select state as label, count(*) as value from notification where state in ('pending', 'dead') group by state",
  },
  {
    name: "qflow_notification_lag_seconds",
    type: "gauge",
    help: "How late the oldest notification is that should have been sent.",
    sql: "select greatest(0, extract(epoch from now() - min(next_at))) as value from notification where state = 'pending'",
  },
  {
    name: "qflow_lineage_events_pending",
    type: "gauge",
    help: "OpenLineage events that are stored and not processed yet.",
    sql: "select count(*) as value from lineage_event where processed_at is null",
  },
  {
    name: "qflow_import_errors",
    type: "gauge",
    help: "DAG files that cannot be loaded.",
    sql: "select count(*) as value from import_error",
  },
  {
    name: "qflow_retention_removed_total",
    type: "counter",
    help: "Rows, and partitions, that retention removed.",
    label: "what",
    sql: "select substr(name, 11) as label, value from metric_counter where name like 'retention\\_%'",
  },
  {
    name: "qflow_retention_age_seconds",
    type: "gauge",
    help: "How long ago the last round of retention ended.",
    sql: "select extract(epoch from now() - (value ->> 'at')::timestamptz) as value from setting where key = 'retention'",
  },
  {
    name: "qflow_database_epoch",
    type: "gauge",
    help: "Moves when the database is found to be restored or copied.",
    sql: "select value::text::bigint as value from setting where key = 'epoch'",
  },
  {
    name: "qflow_database_connections",
    type: "gauge",
    help: "Connections to this database, by the name of the component.",
    label: "application",
    sql: `select coalesce(application_name, '') as label, count(*) as value from pg_stat_activity
      where datname = current_database() and backend_type = 'client backend' group by 1`,
  },
];

/** Attempt ids are UUIDv7: those of the last minute are a range of the primary key. */
const CLAIM_LATENCY = `
  select percentile_cont(array[0.5, 0.99, 1]) within group (order by extract(epoch from a.started_at - t.queued_at)) as quantiles,
    count(*)::int as n
  from task_attempt a join task_instance t on t.id = a.task_instance_id and t.attempt_id = a.attempt_id
  where a.attempt_id >= uuid_at(now() - interval '1 minute') and t.queued_at is not null`;

/** Everything, one statement a metric: one that fails leaves out itself only. */
export async function readMetrics(sql: Sql): Promise<Metric[]> {
  const metrics: Metric[] = [];
  for (const { sql: text, label, ...metric } of QUERIES) {
    const rows = await sql.query<{ label: string; value: string | null }>(text);
    const samples = rows.rows
      .filter(({ value }) => value !== null)
      .map((row) => ({ labels: label ? { [label]: row.label } : {}, value: Number(row.value) }));
    // A counter that nothing has moved yet is 0, not absent: rates need a beginning.
    if (samples.length === 0 && metric.type === "counter" && !label) samples.push({ labels: {}, value: 0 });
    metrics.push({ ...metric, samples });
  }
  return [...metrics, ...(await claimLatency(sql))];
}

async function claimLatency(sql: Sql): Promise<Metric[]> {
  const rows = await sql.query<{ quantiles: number[] | null; n: number }>(CLAIM_LATENCY);
  const { quantiles, n } = rows.rows[0] ?? { quantiles: null, n: 0 };
  const names = ["0.5", "0.99", "1"];
  return [
    {
      name: "qflow_claim_latency_seconds",
      type: "gauge",
      help: "From queued to started, of the attempts that started in the last minute.",
      samples: (quantiles ?? []).map((value, i) => ({
        labels: { quantile: names[i] as string },
        value: Number(value),
      })),
    },
    {
      name: "qflow_attempts_started_last_minute",
      type: "gauge",
      help: "Attempts that started in the last minute.",
      samples: [{ labels: {}, value: n }],
    },
  ];
}
