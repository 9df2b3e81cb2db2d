/** What a scheduler has to do now, read in one statement. */
import type { Database } from "./database.ts";
import type { SessionRow } from "./rescue.ts";

/** Steps of a scheduler's look, in the order in which they are done. */
export const LOOK_STEPS = [
  "dueRuns",
  "datasetRuns",
  "queuedRuns",
  "backfillRuns",
  "retries",
  "timeouts",
  "clocks",
  "deadlines",
  "lostWorkers",
  "services",
] as const;
export type LookStep = (typeof LOOK_STEPS)[number];

/** Which steps may find something, and whether waits are due. */
export type DueWork = Readonly<Record<LookStep | "waits", boolean>> & {
  /** Workers of the host that have not ended. */
  readonly sessions: readonly SessionRow[];
  /** Milliseconds until something is due; null where nothing waits for a time. */
  readonly nextInMs: number | null;
};

/** Reads it, for a scheduler on that host. */
export async function dueWork(database: Database, host: string): Promise<DueWork> {
  const result = await database.query<{ due: DueWork }>("select look_due($1) as due", [host], "look_due");
  return result.rows[0]?.due as DueWork;
}
