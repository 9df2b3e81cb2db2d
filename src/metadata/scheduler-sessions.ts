/** Signs of life of schedulers: one row a process. Nothing is decided by them; people and /health read them. */
import type { Sql } from "./database.ts";
import { VERSION } from "./installation.ts";

/** A scheduler is taken for alive this long after its last look, in seconds. */
export const SCHEDULER_ALIVE_SECONDS = 30;

/** What a scheduler tells of itself. */
export interface SchedulerLook {
  readonly schedulerId: string;
  readonly hostId: string;
  readonly pid: number;
  /** How long its last look at everything took, in milliseconds. */
  readonly lookMs: number;
}

/** Tells that a look has ended now. */
export async function tellLook(sql: Sql, look: SchedulerLook): Promise<void> {
  await sql.query(
    `insert into scheduler (scheduler_id, host_id, pid, version, look_ms) values ($1, $2, $3, $4, $5)
     on conflict (scheduler_id) do update set looked_at = now(), look_ms = excluded.look_ms`,
    [look.schedulerId, look.hostId, look.pid, VERSION, Math.round(look.lookMs)],
  );
}

/** A scheduler that stops in peace is no longer missed. */
export async function endScheduler(sql: Sql, schedulerId: string): Promise<void> {
  await sql.query("delete from scheduler where scheduler_id = $1", [schedulerId]);
}
