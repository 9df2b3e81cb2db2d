/** Removes old history beside the scheduler's loop: once an hour, by one of all schedulers. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../errors.ts";
import type { Database } from "../metadata/database.ts";
import { prune, type RetentionPolicy, sinceLastRound } from "../metadata/retention.ts";

/** How housekeeping is set up. */
export interface HousekeepingOptions {
  readonly retention?: RetentionPolicy;
  readonly warn?: (message: string) => void;
}

const LOOK_EVERY_MS = 60_000;
const ROUND_EVERY_MS = 3_600_000;

/** Does a round where one is due; returns whether it did. Only the holder of the lease does. */
export async function keepHouse(
  database: Database,
  policy: RetentionPolicy,
  who: { readonly holder: string; readonly signal?: AbortSignal },
): Promise<boolean> {
  const since = await sinceLastRound(database);
  if (since !== null && since < ROUND_EVERY_MS) return false;
  return (await prune(database, policy, who)) !== null;
}

/** Starts the loop; it does nothing where no policy is given. */
export function startHousekeeping(database: Database, options: HousekeepingOptions): { stop(): Promise<void> } {
  const { retention, warn = (message: string) => console.error(`scheduler: ${message}`) } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const holder = randomUUID();
  const loop = async (policy: RetentionPolicy) => {
    // Not at once: whoever has just started has better things to do.
    for (;;) {
      await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      await keepHouse(database, policy, { holder, signal }).catch((error: unknown) => {
        if (!signal.aborted) warn(`old history is not removed: ${messageOf(error)}`);
      });
    }
  };
  const ended = retention === undefined ? Promise.resolve() : loop(retention);
  return {
    stop: async () => {
      stopping.abort();
      await ended;
    },
  };
}
