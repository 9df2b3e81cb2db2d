/** The generated feed of a platform that was given none: batches at the first start, then a new one every few minutes. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../../config.ts";
import { messageOf } from "../../errors.ts";
import { generateFeed } from "../../feed/index.ts";

const FIRST_BATCHES = 5;
const ROWS = 1_500;
const SEED = 1;

/** The folder the FTP server serves when no other is configured. */
function generatedFolder(config: Config): string {
  return join(config.home, "feed");
}

/** Generates the first batches, once for a QFLOW_HOME. Does nothing where QFLOW_FEED_DIR names a folder. */
export async function prepareFeed(config: Config): Promise<void> {
  if (config.feedDir !== null || (await lastBatch(config)) > 0) return;
  await generateFeed({ directory: generatedFolder(config), batches: FIRST_BATCHES, rows: ROWS, seed: SEED });
}

/** Adds a batch every `feedEverySeconds` until stopped. */
export function keepFeeding(config: Config, say: (text: string) => void): { stop(): Promise<void> } {
  if (config.feedDir !== null) return { stop: async () => {} };
  let adding = Promise.resolve();
  const timer = setInterval(() => {
    adding = adding
      .then(() => addBatch(config))
      .catch((error: unknown) => say(`the next batch failed: ${messageOf(error)}`));
  }, config.feedEverySeconds * 1000);
  return {
    stop: async () => {
      clearInterval(timer);
      await adding;
    },
  };
}

async function addBatch(config: Config): Promise<void> {
  const firstBatch = (await lastBatch(config)) + 1;
  await generateFeed({ directory: generatedFolder(config), batches: 1, rows: ROWS, seed: SEED, firstBatch });
}

async function lastBatch(config: Config): Promise<number> {
  const names = await readdir(generatedFolder(config)).catch(() => []);
  return Math.max(0, ...names.map((name) => Number(/^group(\d+)$/.exec(name)?.[1] ?? 0)));
}
