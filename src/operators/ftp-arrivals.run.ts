/** The work of `ftpArrivals`. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import { type ListedFile, observeFiles, type PendingFile } from "../metadata/file-manifest.ts";
import { openFtp } from "./clients/ftp.ts";
import type { ArrivalsResult, ftpArrivalsSchema } from "./ftp-arrivals.ts";
import { listFeed, missingFeeds } from "./ftp-listing.ts";
import type { OperatorContext } from "./run.ts";

type ArrivalsConfig = z.output<typeof ftpArrivalsSchema>;
type Pause = (ms: number, signal: AbortSignal) => Promise<unknown>;

/** Looks at the server and emits one event for every batch that holds something not loaded yet. */
export async function run(
  config: ArrivalsConfig,
  context: OperatorContext,
  pause: Pause = (ms, signal) => sleep(ms, undefined, { signal }),
): Promise<Result> {
  const session = await openFtp(context.connection(config.connection), context.signal);
  try {
    const scope = { batch: null, log: context.log };
    const first = await listFeed(session, config, scope);
    const result: Result = { announced: [], waiting: [], unstable: [] };
    const pending = await observeFiles(context.database, config.connection, first);
    if (pending.length === 0) return result;
    await pause(config.stableSeconds * 1000, context.signal);
    const second = await listFeed(session, config, scope);
    const before = Map.groupBy(first, (file) => file.batch);
    const now = Map.groupBy(second, (file) => file.batch);
    const open = Map.groupBy(await observeFiles(context.database, config.connection, second), (file) => file.batch);
    for (const [batch, files] of [...now].sort(([a], [b]) => Number(a) - Number(b))) {
      const unloaded = open.get(batch);
      if (batch === null || unloaded === undefined) continue;
      const digest = digestOf(files);
      if (digest !== digestOf(before.get(batch) ?? [])) result.unstable.push(batch);
      else if (mustWait(config, context, { batch, files, unloaded })) result.waiting.push(batch);
      else {
        context.emit(config.dataset, { key: `${batch}:${digest}`, extra: { batch } });
        result.announced.push(batch);
      }
    }
    context.log.info("looked at the server", { ...result });
    return result;
  } finally {
    session.close();
  }
}

type Result = { [K in keyof ArrivalsResult]: ArrivalsResult[K] };

interface OpenBatch {
  readonly batch: number;
  readonly files: readonly ListedFile[];
  readonly unloaded: readonly PendingFile[];
}

/** An incomplete batch waits from when its oldest unloaded file was first seen. */
function mustWait(config: ArrivalsConfig, context: OperatorContext, { batch, files, unloaded }: OpenBatch): boolean {
  const missing = missingFeeds(config, files);
  if (missing.length === 0) return false;
  const graceMs = (config.graceSeconds ?? context.config.batchGraceSeconds) * 1000;
  const waited = Math.max(...unloaded.map((file) => file.ageMs));
  if (waited < graceMs) return true;
  context.log.warn(
    `batch ${batch} lacks ${missing.join(", ")} after ${Math.round(waited / 1000)} s: announced as it is`,
  );
  return false;
}

function digestOf(files: readonly ListedFile[]): string {
  const lines = files.map((file) => JSON.stringify([file.path, file.bytes, file.ftpTime])).sort();
  return createHash("sha256").update(lines.join("\n")).digest("hex").slice(0, 32);
}
