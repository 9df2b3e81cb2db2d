/** What the api process does besides answering: leftovers of lineage, declarations of new DAG versions, the metastore's facts. */

import { tablesToSync } from "../metadata/catalog.ts";
import { syncDeclarations } from "../metadata/catalog-declare.ts";
import { syncCatalog, unknownTables } from "../metadata/catalog-sync.ts";
import { processLineage } from "../metadata/lineage.ts";
import type { ApiContext } from "./route.ts";

/** Running upkeep. */
export interface Upkeep {
  /** Ends after the round under way. */
  stop(): Promise<void>;
}

const ROUND_MS = 2_000;
/** After a failure the endpoint is left alone for a while: it may be starting. */
const LAKE_BACKOFF_MS = 30_000;

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
  let lakeNotBefore = 0;
  while (!signal.aborted) {
    await bookkeeping(api).catch(report);
    if (performance.now() >= lakeNotBefore) {
      await lookAtLake(api).catch((error: unknown) => {
        lakeNotBefore = performance.now() + LAKE_BACKOFF_MS;
        report(error);
      });
    }
    await pause(ROUND_MS, signal);
  }
}

async function bookkeeping(api: ApiContext): Promise<void> {
  await syncDeclarations(api.database);
  await processLineage(api.database);
}

/** Looks up the tables that ended runs have written, and those that nobody has looked up yet. */
async function lookAtLake(api: ApiContext): Promise<void> {
  if (!api.query) return;
  const written = await tablesToSync(api.database);
  if (written.length === 0) return;
  await api.query.session(async (hive) => {
    const fresh = await unknownTables(api.database, hive);
    await syncCatalog(api.database, hive, [...new Set([...written, ...fresh])]);
  });
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
