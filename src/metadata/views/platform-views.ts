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
