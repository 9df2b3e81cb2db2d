/** `ftpArrivals`: one dataset event for every batch on an FTP server that holds something not loaded yet. */
import { z } from "zod";
import { defineOperator } from "../dag/define-operator.ts";
import { feedSchema } from "./ftp-feed.ts";

/** Config of {@link ftpArrivals}. */
export const ftpArrivalsSchema = feedSchema.extend({
  batchFolder: feedSchema.shape.batchFolder.unwrap(),
  files: feedSchema.shape.files.unwrap(),
  /** Dataset whose event announces a batch: `key` = batch and digest of its listing, `extra` = `{ "batch": N }`. */
  dataset: z.string().min(1),
  /** Seconds an incomplete batch waits, from when it was first seen, before it is announced as it is. Default: `QFLOW_BATCH_GRACE`. */
  graceSeconds: z.number().min(0).optional(),
});

/** What was announced: the XCom of {@link ftpArrivals}. */
export interface ArrivalsResult {
  /** Batches announced, in ascending order. */
  announced: number[];
  /** Batches that lack a file and still have time. */
  waiting: number[];
  /** Batches whose files still change. */
  unstable: number[];
}

/** Announces batches that hold something not loaded yet. See docs/operators/ftp-arrivals.md. */
export const ftpArrivals = defineOperator<ArrivalsResult, typeof ftpArrivalsSchema>("ftp_arrivals", ftpArrivalsSchema, {
  emits: (config) => [config.dataset],
});
