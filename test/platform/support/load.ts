/** Runs the jobs of a batch in their order, with what the `land` task would hand them. */
import type { LandedFile } from "../../../src/operators/index.ts";
import type { WarmSpark } from "./spark.ts";

/** What jobs read of a landed file. */
export type FileVersion = Pick<
  LandedFile,
  "fileId" | "feed" | "batch" | "path" | "loadSeq" | "supersedes" | "duplicateOf"
>;

/** What became of the rows of one file. */
export interface FileCounts {
  fileId: number;
  read: number;
  loaded: number;
  duplicate: number;
  conflict: number;
  quarantined: number;
  reasons: Record<string, number>;
  rejected: string | null;
}

/** What a batch's run reports. */
export interface BatchLoad {
  counts: FileCounts[];
  /** Days of the fact table, and of the agents' performance, that were written. */
  factDates: string[];
  performanceDates: string[];
}

/** standardize → conform → enrich → checks. Throws when a job or a check fails. */
export async function loadBatch(spark: WarmSpark, manifest: readonly FileVersion[]): Promise<BatchLoad> {
  const standardized = await spark.job("standardize", { manifest });
  const conformed = await spark.job<{ changedDates: string[] }>("conform", { manifest });
  const enriched = await spark.job<{ changedDates: string[] }>("enrich");
  const checked = await spark.job<{ counts: FileCounts[] }>("checks", { manifest, standardized, conformed });
  return { counts: checked.counts, factDates: conformed.changedDates, performanceDates: enriched.changedDates };
}
