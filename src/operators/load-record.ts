/** `loadRecord`: checks that the counts of a load balance and writes them into the file manifest. */
import { z } from "zod";
import { defineOperator } from "../dag/define-operator.ts";
import { landedFileSchema } from "./ftp-ingest.ts";

const count = z.number().int().min(0);

/** What became of the rows of one file. `read = loaded + duplicate + quarantined`; `conflict` is a part of `duplicate`. */
export const loadCountsSchema = z.object({
  fileId: z.number().int(),
  read: count,
  loaded: count,
  duplicate: count.default(0),
  /** Duplicates whose content differs from the row that arrived first. */
  conflict: count.default(0),
  quarantined: count.default(0),
  /** Reason → quarantined rows. A row may have several. */
  reasons: z.record(z.string(), count).default({}),
  /** Why the whole file was refused (its columns cannot be matched …); null or absent: it was not. */
  rejected: z.string().nullish(),
});

/** {@link loadCountsSchema} as a job writes it. */
export type LoadCounts = z.input<typeof loadCountsSchema>;

/** Config of {@link loadRecord}. */
export const loadRecordSchema = z.strictObject({
  /** The output of `ftpIngest`. */
  files: z.array(landedFileSchema),
  /** One entry for every landed file that is not a duplicate. Entries of duplicates are allowed and checked too. */
  counts: z.array(loadCountsSchema),
});

/** Totals over the files of this run: the XCom of {@link loadRecord}. */
export interface LoadTotals {
  files: number;
  read: number;
  loaded: number;
  duplicate: number;
  conflict: number;
  quarantined: number;
  /** Versions withdrawn by newer ones. */
  superseded: number[];
}

/** Records the result of a load. Fails with LOAD_UNBALANCED or LOAD_INCOMPLETE. See docs/operators/load-record.md. */
export const loadRecord = defineOperator<LoadTotals, typeof loadRecordSchema>("load_record", loadRecordSchema);
