/** Waiting between tries of what must succeed some day: full jitter, 50 ms to 5 s. */

const FIRST_MS = 50;
const LONGEST_MS = 5000;

/** Milliseconds to wait after the `failures`-th failure in a row (1 = the first). */
export function backoff(failures: number, random: () => number = Math.random): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 10));
  return FIRST_MS + random() * (ceiling - FIRST_MS);
}
