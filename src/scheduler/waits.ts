/** The loop that looks at waits, beside the scheduler's own: neither holds up the other. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "../metadata/database.ts";
import { backoffMs } from "../metadata/transient.ts";
import { WaitLook, type WaitLookOptions } from "./wait-look.ts";

/** How the loop is set up. */
export interface WaitsOptions extends Pick<WaitLookOptions, "connection" | "warn"> {
  /** Longest time between two looks, in milliseconds. Default 10,000: whoever finds that waits are due wakes it. */
  readonly pollMs?: number;
}

/** The running loop. */
export interface Waits {
  /** Makes it look at once. */
  wake(): void;
  /** Ends the loop; checks under way are given back. */
  stop(): Promise<void>;
}

const POLL_MS = 10_000;

/** Starts the loop in this process. Any number may run against one database. */
export function startWaits(database: Database, options: WaitsOptions): Waits {
  const stopping = new AbortController();
  let woken = Promise.withResolvers<void>();
  const wake = () => woken.resolve();
  const look = new WaitLook(database, { ...options, wake });
  const endWatch = watchLag(options.warn);
  const loop = (async () => {
    for (let failures = 0; !stopping.signal.aborted; ) {
      woken = Promise.withResolvers<void>();
      const { nextInMs, more, failed } = await look.once();
      failures = failed ? failures + 1 : 0;
      if (more && !failed) continue;
      const pause = failed
        ? backoffMs(failures, Math.random())
        : Math.min(options.pollMs ?? POLL_MS, nextInMs ?? POLL_MS);
      const rest = sleep(Math.max(1, pause), undefined, { signal: stopping.signal }).catch(() => {});
      await Promise.race([failed ? new Promise(() => {}) : woken.promise, rest]);
    }
  })();
  return {
    wake,
    stop: async () => {
      stopping.abort();
      await loop;
      await look.stop();
      endWatch();
    },
  };
}

const LAG_EVERY_MS = 10_000;
/** Everything of this process waits that long when something holds the event loop. */
const LAG_WARN_MS = 500;

/** Tells when something kept the event loop of this process from going round. */
function watchLag(warn: (message: string) => void): () => void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const timer = setInterval(() => {
    const longest = delay.max / 1e6;
    delay.reset();
    if (longest > LAG_WARN_MS) warn(`waits: the event loop stood still for ${Math.round(longest)} ms`);
  }, LAG_EVERY_MS).unref();
  return () => {
    clearInterval(timer);
    delay.disable();
  };
}
