/** What the api process does besides answering: leftovers of lineage, declarations of new DAG versions, the metastore's facts. */

import { tablesToSync } from "../metadata/catalog.ts";
import { syncDeclarations } from "../metadata/catalog-declare.ts";
import { syncCatalog } from "../metadata/catalog-sync.ts";
import { processLineage } from "../metadata/lineage.ts";
import type { ApiContext } from "./route.ts";

/** Running upkeep. */
export interface Upkeep {
  /** Ends after the round under way. */
  stop(): Promise<void>;
}

const ROUND_MS = 2_000;

/** Starts upkeep rounds. A round that fails is told to `report` and tried again. */
export function startUpkeep(api: ApiContext, report: (error: unknown) => void): Upkeep {
  const stopping = new AbortController();
  const ended = rounds(api, report, stopping.signal);
  return {
    stop: async () => {
      stopping.abort();
      await ended;
    },
  };
}

async function rounds(api: ApiContext, report: (error: unknown) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await upkeepRound(api).catch(report);
    await pause(ROUND_MS, signal);
  }
}

/** One round: everything that is due now. */
export async function upkeepRound(api: ApiContext): Promise<void> {
  await syncDeclarations(api.database);
  await processLineage(api.database);
  if (!api.query) return;
  const due = await tablesToSync(api.database);
  if (due.length > 0) await api.query.session((hive) => syncCatalog(api.database, hive, due));
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}
