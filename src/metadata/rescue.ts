/** Work of workers that are gone is given to others; attempts past their deadline are told to end. */
import { QflowError } from "../errors.ts";
import type { Database, Sql } from "./database.ts";
import { countIfPossible } from "./metrics.ts";
import { LEASE_SECONDS } from "./worker-sessions.ts";

/** Attempts rescued in one transaction. */
const BATCH = 200;
/** Seconds after its deadline in which a worker may report a timeout by itself. */
const TIMEOUT_GRACE_SECONDS = 2;

/** A live session of a host. */
export interface SessionRow {
  readonly workerId: string;
  readonly pid: number;
  readonly pidStartedAt: string;
}

/** Sessions of a host that have not ended. */
export async function liveSessions(sql: Sql, hostId: string): Promise<SessionRow[]> {
  const result = await sql.query<SessionRow>(
    `select worker_id as "workerId", pid, pid_started_at as "pidStartedAt" from worker
     where host_id = $1 and state in ('active', 'draining')`,
    [hostId],
  );
  return result.rows;
}

/** Ends a session whose process is known to be gone, without waiting for its lease. */
export async function endGoneSession(sql: Sql, workerId: string): Promise<void> {
  await sql.query(
    "update worker set state = 'lost', ended_at = now() where worker_id = $1 and state in ('active', 'draining')",
    [workerId],
  );
}

/**
 * Ends sessions whose lease has run out; looks again at the lease in the update itself. Not within one lease of the
 * server's start: after an outage every worker gets the time to renew. Returns how many.
 */
export async function endExpiredSessions(sql: Sql): Promise<number> {
  const result = await sql.query(
    // guard: lease-lookup
    // guard: lease-after-start
    `update worker set state = 'lost', ended_at = now()
     where state in ('active', 'draining') and lease_expires_at < now()
       and now() - pg_postmaster_start_time() > make_interval(secs => $1)`,
    [LEASE_SECONDS],
  );
  return result.rowCount ?? 0;
}

/** What {@link rescueAttempts} did. */
export interface RescueReport {
  readonly rescued: number;
}

/** Fences the running attempts of ended sessions and lets their tasks be tried again. */
export async function rescueAttempts(database: Database): Promise<RescueReport> {
  const error = new QflowError("WORKER_ENDED", "the worker that ran it is gone");
  const outcome = {
    state: "failed",
    retry: "infra",
    error: { code: error.code, message: error.message, remedy: error.remedy },
  };
  const result = await database.query<{ rescued: number }>(
    // guard: rescue-ended-only
    `select coalesce(cardinality(f.attempts), 0) as rescued from (
       select coalesce(jsonb_agg(jsonb_build_object('attemptId', attempt_id, 'token', token) || $1::jsonb), '[]') as outcomes from (
         select a.attempt_id, a.token from task_attempt a join worker w using (worker_id)
         where a.state = 'running' and w.state in ('ended', 'lost') limit $2) orphan
     ) o cross join lateral finish_attempts(o.outcomes, true) f
     where o.outcomes <> '[]'`,
    [JSON.stringify(outcome), BATCH],
  );
  const rescued = result.rows[0]?.rescued ?? 0;
  if (rescued > 0) await countIfPossible(database, "rescued_attempts", rescued);
  return { rescued };
}

/** Revokes attempts that are past their deadline; their workers end them. Returns how many. */
export async function revokeTimedOut(sql: Sql): Promise<number> {
  const result = await sql.query(
    // guard: timeout-first-reason
    `update task_attempt set revoked = 'timeout'
     where state = 'running' and revoked is null and deadline_at < now() - make_interval(secs => $1)`,
    [TIMEOUT_GRACE_SECONDS],
  );
  return result.rowCount ?? 0;
}
