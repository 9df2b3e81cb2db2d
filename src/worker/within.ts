/** Waiting that ends. */
import { setTimeout as sleep } from "node:timers/promises";

/** Waits for the end of something, whichever it is, but not forever: a worker stops also without its database. */
export async function within(ends: Promise<unknown>, ms: number): Promise<void> {
  const timer = new AbortController();
  const late = sleep(ms, undefined, { signal: timer.signal }).catch(() => {});
  await Promise.race([ends.catch(() => {}), late]);
  timer.abort();
}
