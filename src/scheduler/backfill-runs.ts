/** Takes backfills on: their runs are made date by date, as they have room. */

import { advanceBackfill, openBackfills, pauseBackfill } from "../metadata/backfills.ts";
import type { Database } from "../metadata/database.ts";
import { isTransient } from "../metadata/transient.ts";

/** What a look at backfills did. */
export interface BackfillReport {
  readonly created: number;
  /** Backfills that could not go on; they are paused. */
  readonly refused: readonly { readonly id: number; readonly error: unknown }[];
}

/** Lets every backfill that has room go on. One that cannot is paused, and holds up no other. */
export async function createBackfillRuns(database: Database): Promise<BackfillReport> {
  let created = 0;
  const refused: { id: number; error: unknown }[] = [];
  for (const backfill of await openBackfills(database)) {
    try {
      for (let more = true; more; ) {
        const report = await advanceBackfill(database, backfill);
        created += report.created;
        more = report.more;
      }
    } catch (error) {
      if (isTransient(error)) throw error;
      await pauseBackfill(database, backfill.id);
      refused.push({ id: backfill.id, error });
    }
  }
  return { created, refused };
}
