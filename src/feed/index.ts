/** Q Company's feeds at any size: the format of the real ones, with their dirt, the same for the same seed. */
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { QflowError } from "../errors.ts";
import { agentLines, type BatchId, branchLines, transactionLines } from "./batch.ts";

export { originOf } from "./batch.ts";
export type { EventCounts } from "./event-counts.ts";
export { EVENT_KINDS, type EventFeed, type EventKind, eventMessage, type FeedMessage } from "./events.ts";
export { type SendEventsOptions, type SentEvents, sendEvents } from "./send-events.ts";
export { writeEvents } from "./write-events.ts";

/** What to generate. */
export interface FeedOptions {
  /** Where the folders `group1`, `group2` … are put; created when missing. */
  readonly directory: string;
  readonly batches: number;
  /** Transactions in each batch, at most 9,999,990. */
  readonly rows: number;
  readonly seed: number;
  /** Number of the first batch. Default 1. */
  readonly firstBatch?: number;
  /** Told now and then how many transactions are written. */
  readonly onProgress?: (rows: number) => void;
}

const MOST_ROWS = 9_999_990;
const CHUNK_BYTES = 1 << 20;

/** Writes the batches in ascending order, each file under a temporary name that is then renamed. Throws USAGE. */
export async function generateFeed(options: FeedOptions): Promise<void> {
  const { batches, rows, seed, firstBatch = 1 } = options;
  if (rows > MOST_ROWS) throw new QflowError("USAGE", `a batch has at most ${MOST_ROWS} rows, not ${rows}`);
  if (firstBatch < 1) throw new QflowError("USAGE", "batches are numbered from 1");
  for (let index = 0; index < batches; index++) {
    const before = index * rows;
    await writeBatch(options.directory, { seed, batch: firstBatch + index, rows }, (done) =>
      options.onProgress?.(before + done),
    );
  }
}

async function writeBatch(directory: string, id: BatchId, onProgress: (rows: number) => void): Promise<void> {
  const folder = join(directory, `group${id.batch}`);
  await mkdir(folder, { recursive: true });
  // The transactions come last: whoever sees them sees the batch whole.
  await writeLines(join(folder, `branches_SS_raw_${id.batch}.csv`), branchLines(id), () => {});
  await writeLines(join(folder, `sales_agents_SS_raw_${id.batch}.csv`), agentLines(id), () => {});
  await writeLines(join(folder, `sales_transactions_SS_raw_${id.batch}.csv`), transactionLines(id), onProgress);
}

async function writeLines(path: string, lines: Iterable<string>, onProgress: (lines: number) => void): Promise<void> {
  const draft = `${path}.part`;
  const file = await open(draft, "w");
  try {
    await writeChunks(file, lines, onProgress);
    await file.sync();
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await rename(draft, path);
}

async function writeChunks(
  file: FileHandle,
  lines: Iterable<string>,
  onProgress: (lines: number) => void,
): Promise<void> {
  let chunk = "";
  let count = 0;
  for (const line of lines) {
    chunk += `${line}\n`;
    count++;
    if (chunk.length < CHUNK_BYTES) continue;
    await file.appendFile(chunk);
    onProgress(count - 1);
    chunk = "";
  }
  await file.appendFile(chunk);
  onProgress(count - 1);
}
