/** Which database errors pass by themselves, and trying again with jitter. */
import { setTimeout as sleep } from "node:timers/promises";

/** Serialization, deadlock, lock timeout, server going down or starting, too many connections, statement timeout. */
const TRANSIENT_SQLSTATES = new Set(["40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300", "57014", "25P03"]);
const TRANSIENT_SYSTEM = new Set(["ECONNRESET", "ECONNREFUSED", "EPIPE", "ETIMEDOUT", "ENOENT"]);

/** Whether the same call may succeed when made again. */
export function isTransient(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (
    typeof code === "string" &&
    (TRANSIENT_SQLSTATES.has(code) || TRANSIENT_SYSTEM.has(code) || code.startsWith("08"))
  )
    return true;
  // pg gives these no code.
  return (
    typeof message === "string" && /^(Connection terminated|timeout exceeded when trying to connect)/.test(message)
  );
}

/** Full jitter: 0 to 50 ms doubled with each attempt, at most 5 s. `random` is in [0, 1). */
export function backoffMs(attempt: number, random: number): number {
  return random * Math.min(5_000, 50 * 2 ** attempt);
}

/** Options of {@link withRetry}. */
export interface RetryOptions {
  /** Tries in all, at least 1. */
  readonly tries: number;
  readonly signal?: AbortSignal;
}

/** Calls `work(n)` (n = 0 for the first try) until it succeeds, fails for good, or has had its tries. */
export async function withRetry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      if (!isTransient(error) || attempt + 1 >= options.tries || options.signal?.aborted) throw error;
      await sleep(backoffMs(attempt, Math.random()), undefined, options.signal ? { signal: options.signal } : {}).catch(
        () => {},
      );
    }
  }
}
