/** Chance that is the same for the same seed, on every machine. */

/** A stream of chance. */
export interface Random {
  /** A whole number from 0 up to but not including `n`. */
  below(n: number): number;
  pick<T>(items: readonly T[]): T;
  /** True in `share` of all calls. */
  chance(share: number): boolean;
}

/** A stream for some numbers (seed, batch …); the same numbers give the same stream. Mulberry32. */
export function randomFor(...numbers: readonly number[]): Random {
  let state = numbers.reduce(
    (mixed, value) => Math.imul(mixed ^ (value + 0x9e3779b9), 0x85ebca6b) ^ (mixed >>> 13),
    0x2545f491,
  );
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return {
    below,
    pick: (items) => items[below(items.length)] as (typeof items)[number],
    chance: (share) => next() < share,
  };
}
