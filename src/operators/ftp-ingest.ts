/** `ftpIngest`: fetches what is new on an FTP server into the staging layer, verified, once, and never rewritten. */
import { z } from "zod";
import { defineOperator } from "../dag/define-operator.ts";
import { feedSchema } from "./ftp-feed.ts";

/** Config of {@link ftpIngest}. */
export const ftpIngestSchema = feedSchema.extend({
  /** Only this batch; absent or null: everything under `path`, batches in ascending order. */
  batch: z.number().int().min(0).nullish(),
  /** Folder of the staging layer, local or `hdfs://…`. Default: `staging` in the lake (`QFLOW_LAKE`). */
  stagingDir: z.string().min(1).optional(),
});

/** A file version landed by this run, as downstream tasks get it. */
export const landedFileSchema = z.object({
  /** Identity of this version of the file, in every layer (`_file_id`). */
  fileId: z.number().int(),
  feed: z.string(),
  batch: z.number().int().nullable(),
  /** Name on the server, as delivered. */
  name: z.string(),
  /** 1 for the first content under this name, 2 for the next … */
  version: z.number().int(),
  /** Absolute path in staging, on HDFS with `hdfs://host:port` before it. Not encoded: blanks and quotes stand as they are. */
  path: z.string(),
  bytes: z.number().int(),
  sha256: z.string(),
  /** Order of arrival: strictly ascending over all files ever landed. */
  loadSeq: z.number().int(),
  /** Modification time on the server, ISO UTC; null where the server gives none. */
  ftpTime: z.string().nullable(),
  /** Older versions under the same name whose rows this one withdraws (`_file_id` of each). */
  supersedes: z.array(z.number().int()),
  /** The live file that holds the same content: nothing of this one is to be loaded. Null = load it. */
  duplicateOf: z.number().int().nullable(),
});

/** One item of the XCom of {@link ftpIngest}. */
export type LandedFile = z.infer<typeof landedFileSchema>;

/** Lands files and returns what this run has to load, ascending by `loadSeq`. See docs/operators/ftp-ingest.md. */
export const ftpIngest = defineOperator<LandedFile[], typeof ftpIngestSchema>("ftp_ingest", ftpIngestSchema, {
  reads: (config) => feedNames(config).map((feed) => `feed.${feed}`),
  emits: (config) => feedNames(config).map((feed) => `staging.${feed}`),
});

/** Feeds as the config names them; one that is named after its folder is known only when it runs. */
function feedNames(config: { readonly files?: unknown }): string[] {
  return typeof config.files === "object" && config.files !== null ? Object.keys(config.files) : [];
}
