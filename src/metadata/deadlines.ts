/** Deadlines that have been missed. */
import type { Sql } from "./database.ts";

const BATCH = 200;

/** What {@link fireDeadlines} did. */
export interface DeadlineReport {
  readonly fired: number;
  /** Milliseconds until the next one is due; null where none waits. */
  readonly nextInMs: number | null;
}

/** Fires what has been missed, each once, whoever looks: those who want to know get a notification. */
export async function fireDeadlines(sql: Sql): Promise<DeadlineReport> {
  const result = await sql.query<{ fired: number; next_in_ms: number | null }>(
    `select case when exists (select from deadline where fired_at is null and due_at <= now()) then fire_deadlines($1) else 0 end as fired,
       (select extract(epoch from min(due_at) - now())::float8 * 1000 from deadline where fired_at is null and due_at > now()) as next_in_ms`,
    [BATCH],
  );
  const row = result.rows[0];
  return { fired: row?.fired ?? 0, nextInMs: row?.next_in_ms ?? null };
}
