/** Worker sessions and their leases: one row, one heartbeat for all attempts a worker runs. */
import { QflowError } from "../errors.ts";
import type { Sql } from "./database.ts";
import type { HeartbeatReply, Revocation, WorkerIdentity } from "./work-types.ts";

/** Length of a lease in seconds; workers renew it every {@link HEARTBEAT_SECONDS}. */
export const LEASE_SECONDS = 20;
/** Time between heartbeats in seconds. */
export const HEARTBEAT_SECONDS = 5;

/** Opens a session; its lease starts now. */
export async function registerWorker(sql: Sql, identity: WorkerIdentity): Promise<{ workerId: string }> {
  const result = await sql.query<{ worker_id: string }>(
    `insert into worker (host_id, pid, pid_started_at, marker, queues, lease_expires_at)
     values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6)) returning worker_id`,
    [
      identity.hostId,
      identity.pid,
      identity.pidStartedAt,
      identity.marker,
      identity.queues ?? ["default"],
      LEASE_SECONDS,
    ],
  );
  return { workerId: result.rows[0]?.worker_id as string };
}

/**
 * Renews the lease and tells which attempts must end. Throws WORKER_ENDED when the session is over (its lease ran out and
 * its attempts were given to others): the worker ends everything it runs and registers again.
 */
export async function heartbeat(sql: Sql, workerId: string): Promise<HeartbeatReply> {
  const result = await sql.query<{ lease_expires_at: Date; lease_ms: number; revoked: Revocation[] }>(
    // guard: session-over
    `with beat as (
       update worker set heartbeat_at = now(), lease_expires_at = now() + make_interval(secs => $2)
       where worker_id = $1 and state in ('active', 'draining') returning lease_expires_at
     )
     select lease_expires_at, $2::integer * 1000 as lease_ms, coalesce((
       select jsonb_agg(jsonb_build_object('attemptId', attempt_id, 'reason', case when fenced then 'fenced' else revoked end))
       from task_attempt where worker_id = $1 and state = 'running' and revoked is not null), '[]') || coalesce((
       select jsonb_agg(jsonb_build_object('attemptId', attempt_id, 'reason', 'fenced'))
       from task_attempt where worker_id = $1 and fenced and ended_at > now() - interval '10 minutes'), '[]') as revoked
     from beat`,
    [workerId, LEASE_SECONDS],
  );
  const row = result.rows[0];
  if (!row) throw new QflowError("WORKER_ENDED", `session ${workerId} of this worker has ended`);
  return { leaseExpiresAt: row.lease_expires_at.toISOString(), leaseMs: row.lease_ms, revoked: row.revoked };
}

/** No more claims; running attempts may finish. */
export async function drainWorker(sql: Sql, workerId: string): Promise<void> {
  await sql.query("update worker set state = 'draining' where worker_id = $1 and state = 'active'", [workerId]);
}

/** Closes the session; attempts it still has are given to others by the scheduler's next look. */
export async function endWorker(sql: Sql, workerId: string): Promise<void> {
  await sql.query(
    "update worker set state = 'ended', ended_at = now() where worker_id = $1 and state in ('active', 'draining')",
    [workerId],
  );
}
