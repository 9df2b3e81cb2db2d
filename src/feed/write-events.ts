/** Writes a feed of events to a file, for tests and to look at. */
import { open, rename, rm } from "node:fs/promises";
import { countMessage, noCounts } from "./event-counts.ts";
import { type EventFeed, eventMessage, type FeedMessage } from "./events.ts";
import type { SentEvents } from "./send-events.ts";

const CHUNK_BYTES = 1 << 20;

/**
 * The first `count` messages, a line of JSON each: `index`, `kind`, `eventType`, `key`, and `value` as text, or as `base64` where it
 * is none. Written under a temporary name that is then renamed.
 */
export async function writeEvents(path: string, feed: EventFeed, count: number): Promise<SentEvents> {
  const counts = noCounts();
  const draft = `${path}.part`;
  const file = await open(draft, "w");
  try {
    let chunk = "";
    for (let index = 0; index < count; index++) {
      const message = eventMessage(feed, index);
      countMessage(counts, message);
      chunk += `${lineOf(message)}\n`;
      if (chunk.length < CHUNK_BYTES) continue;
      await file.appendFile(chunk);
      chunk = "";
    }
    await file.appendFile(chunk);
    await file.sync();
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await rename(draft, path);
  return { counts, sent: count, complete: true };
}

function lineOf({ value, ...rest }: FeedMessage): string {
  const text = value?.toString("utf8") ?? null;
  const isText = value === null || Buffer.from(text ?? "").equals(value);
  return JSON.stringify(isText ? { ...rest, value: text } : { ...rest, base64: value.toString("base64") });
}
