/** The work of `loadRecord`. */
import type { z } from "zod";
import { QflowError } from "../errors.ts";
import { type LoadResult, recordLoads } from "../metadata/load-results.ts";
import type { loadRecordSchema } from "./load-record.ts";
import type { OperatorContext } from "./run.ts";

/** Checks the counts and writes them into the manifest in one transaction. */
export async function run(config: z.output<typeof loadRecordSchema>, context: OperatorContext) {
  const duplicates = config.files.filter((file) => file.duplicateOf !== null).map((file) => file.fileId);
  const results = config.counts.map((entry): LoadResult => ({ ...entry, rejected: entry.rejected ?? null }));
  for (const result of results) assertBalanced(result);
  assertComplete(
    config.files.map((file) => file.fileId),
    { results, duplicates },
  );
  const own = results.filter((result) => !duplicates.includes(result.fileId));
  await context.publishPermit();
  const superseded = await context.database.transaction((sql) => recordLoads(sql, own, duplicates));
  const totals = { files: config.files.length, ...sum(results), superseded };
  context.log.info("recorded: read = loaded + duplicate + quarantined", totals);
  return totals;
}

function assertBalanced(result: LoadResult): void {
  const { fileId, read, loaded, duplicate, quarantined, conflict } = result;
  if (read !== loaded + duplicate + quarantined) {
    throw new QflowError(
      "LOAD_UNBALANCED",
      `file ${fileId}: ${read} rows read, but ${loaded} loaded + ${duplicate} duplicate + ${quarantined} quarantined`,
      { details: { ...result } },
    );
  }
  if (conflict > duplicate) {
    throw new QflowError("LOAD_UNBALANCED", `file ${fileId}: ${conflict} conflicts among ${duplicate} duplicates`);
  }
}

function assertComplete(
  landed: readonly number[],
  { results, duplicates }: { results: readonly LoadResult[]; duplicates: readonly number[] },
): void {
  const counted = results.map((result) => result.fileId);
  const missing = landed.filter((id) => !duplicates.includes(id) && !counted.includes(id));
  if (missing.length > 0) throw new QflowError("LOAD_INCOMPLETE", `no counts for file ${missing.join(", ")}`);
  const foreign = counted.filter((id, i) => !landed.includes(id) || counted.indexOf(id) !== i);
  if (foreign.length > 0) {
    throw new QflowError(
      "LOAD_INCOMPLETE",
      `counts for file ${foreign.join(", ")}, which was not landed or is counted twice`,
    );
  }
}

function sum(results: readonly LoadResult[]) {
  const total = (key: "read" | "loaded" | "duplicate" | "conflict" | "quarantined") =>
    results.reduce((before, result) => before + result[key], 0);
  return {
    read: total("read"),
    loaded: total("loaded"),
    duplicate: total("duplicate"),
    conflict: total("conflict"),
    quarantined: total("quarantined"),
  };
}
