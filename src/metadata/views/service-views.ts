/** What people are shown of services. */
import type { ServiceSpec } from "../../dag/service-spec.ts";
import { QflowError } from "../../errors.ts";
import type { Sql } from "../database.ts";
import type { BatchProgress, ServiceFailure } from "../services/types.ts";

/** In words: `waiting` = it is to run and no worker has it yet, `backoff` = it failed and waits, `stopped` = no file declares it. */
export type ServiceState = "starting" | "running" | "draining" | "waiting" | "backoff" | "paused" | "stopped";

/** A service as it is now. */
export interface ServiceRow {
  readonly service_id: string;
  readonly state: ServiceState;
  readonly is_paused: boolean;
  readonly file: string;
  readonly owner: string | null;
  readonly doc: string | null;
  readonly tags: string[];
  readonly queue: string;
  readonly version: number;
  /** Number of the newest attempt, which lives or has ended; 0 = there was none. */
  readonly attempt: number;
  readonly host: string | null;
  readonly pid: number | null;
  readonly started_at: Date | null;
  readonly ready_at: Date | null;
  readonly seen_at: Date | null;
  readonly ended_at: Date | null;
  /** Why the newest attempt is to end, or ended. */
  readonly reason: string | null;
  /** Failures on end. */
  readonly failures: number;
  readonly restart_at: Date | null;
  /** What the last attempt that failed said, and when. */
  readonly last_error: ServiceFailure | null;
  readonly last_error_at: Date | null;
  /** Starts in the last 24 hours. */
  readonly starts: number;
  /** Of the newest attempt. */
  readonly batches: number;
  readonly rows: number;
  readonly progress: BatchProgress | null;
  readonly progress_at: Date | null;
  /** Rows of the last minute, a second. */
  readonly rows_per_second: number;
  readonly lagging_since: Date | null;
  readonly spec: ServiceSpec;
  /** Living workers that serve its queue. */
  readonly workers: number;
  /** Until when what a lost worker started may live elsewhere. */
  readonly fenced_until: Date | null;
}

const ROW = `
  select s.service_id, case when s.attempt_id is not null then a.state when not s.active then 'stopped' when s.paused then 'paused'
      when s.restart_at > now() then 'backoff' else 'waiting' end as state,
    s.paused as is_paused, s.file, s.owner, s.doc, s.tags, s.queue, v.number as version, s.attempt_number as attempt, a.host_id as host,
    a.pid, a.started_at, a.ready_at, a.seen_at, a.ended_at, a.reason, s.failures, s.restart_at, f.error as last_error,
    f.ended_at as last_error_at, recent.starts, coalesce(a.batches, 0)::float8 as batches, coalesce(a.rows_total, 0)::float8 as rows,
    a.progress, a.progress_at, minute.rows / 60 as rows_per_second, s.lagging_since, v.spec, served.workers,
    case when s.fenced_until > now() then s.fenced_until end as fenced_until
  from service s
  join service_version v on v.id = s.version_id
  left join service_attempt a on a.service_id = s.service_id and a.number = s.attempt_number
  left join lateral (
    select error, ended_at from service_attempt e where e.service_id = s.service_id and e.error is not null order by number desc limit 1) f on true
  cross join lateral (
    select count(*)::integer as starts from service_attempt e where e.service_id = s.service_id and e.started_at > now() - interval '1 day') recent
  cross join lateral (
    select coalesce(sum(p.rows), 0)::float8 as rows from service_progress p
    where p.service_id = s.service_id and p.at > now() - interval '1 min') minute
  cross join lateral (
    select count(*)::integer as workers from worker w
    where w.state = 'active' and w.lease_expires_at > now() and s.queue = any (w.queues)) served`;

/** Services that a file declares, and those that still run; by id. */
export async function listServices(sql: Sql): Promise<ServiceRow[]> {
  const found = await sql.query<ServiceRow>(`${ROW} where s.active or s.attempt_id is not null order by s.service_id`);
  return found.rows;
}

/** Throws NOT_FOUND. */
export async function getService(sql: Sql, serviceId: string): Promise<ServiceRow> {
  const found = await sql.query<ServiceRow>(`${ROW} where s.service_id = $1`, [serviceId]);
  const [row] = found.rows;
  if (row !== undefined) return row;
  throw new QflowError("NOT_FOUND", `there is no service ${serviceId}`, { remedy: "See `qflow services list`." });
}

/** One start of a service. */
export interface ServiceAttemptRow {
  readonly attempt_id: string;
  readonly number: number;
  readonly version: number;
  readonly state: "starting" | "running" | "draining" | "stopped" | "failed" | "lost";
  readonly reason: string | null;
  readonly host: string;
  readonly pid: number | null;
  readonly started_at: Date;
  readonly ready_at: Date | null;
  readonly ended_at: Date | null;
  readonly error: ServiceFailure | null;
  readonly batches: number;
  readonly rows: number;
}

/** The newest attempts of a service, newest first. */
export async function listServiceAttempts(sql: Sql, serviceId: string, limit: number): Promise<ServiceAttemptRow[]> {
  const found = await sql.query<ServiceAttemptRow>(
    `select a.attempt_id, a.number, v.number as version, a.state, a.reason, a.host_id as host, a.pid, a.started_at, a.ready_at, a.ended_at,
       a.error, a.batches::float8 as batches, a.rows_total::float8 as rows
     from service_attempt a join service_version v on v.id = a.version_id
     where a.service_id = $1 order by a.number desc limit $2`,
    [serviceId, limit],
  );
  return found.rows;
}

/** What a service did in one step of time. */
export interface ServicePoint {
  readonly at: Date;
  readonly rows: number;
  readonly rows_per_second: number;
  readonly batches: number;
  /** Mean and longest of the batches; null where none tells. */
  readonly batch_ms: number | null;
  readonly longest_batch_ms: number | null;
  /** Greatest lag. */
  readonly lag: number | null;
}

/** Most steps of one answer. */
const STEPS = 240;

/** Seconds of a step when the last `minutes` are shown. */
export function progressStep(minutes: number): number {
  return Math.max(1, Math.ceil((minutes * 60) / STEPS));
}

/** What a service did in the last minutes, by {@link progressStep}; steps without a batch are left out. */
export async function serviceProgress(sql: Sql, serviceId: string, minutes: number): Promise<ServicePoint[]> {
  const found = await sql.query<ServicePoint>(
    `select date_bin(make_interval(secs => $3), at, 'epoch') as at, sum(rows)::float8 as rows, sum(rows)::float8 / $3 as rows_per_second,
       count(*)::integer as batches, avg(batch_ms) as batch_ms, max(batch_ms) as longest_batch_ms, max(lag)::float8 as lag
     from service_progress where service_id = $1 and at > now() - make_interval(mins => $2) group by 1 order by 1`,
    [serviceId, minutes, progressStep(minutes)],
  );
  return found.rows;
}

/** Id of an attempt by its number. Throws NOT_FOUND. */
export async function findServiceAttempt(sql: Sql, serviceId: string, number: number): Promise<string> {
  const found = await sql.query<{ attempt_id: string }>(
    "select attempt_id from service_attempt where service_id = $1 and number = $2",
    [serviceId, number],
  );
  const [row] = found.rows;
  if (row !== undefined) return row.attempt_id;
  throw new QflowError("NOT_FOUND", `there is no attempt ${number} of service ${serviceId}`);
}
