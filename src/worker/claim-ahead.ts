/** How many tasks a worker claims beyond those it runs: none while tasks are long, many while they are shorter than a call. */

/** What is claimed ahead is expected to start within this many milliseconds. */
const AHEAD_MS = 40;
/** Most tasks ahead of each place. */
const AHEAD_OF_EACH = 16;
/** So many of the latest tasks tell how long one takes. */
const REMEMBERED = 32;
/** Share of them that may be longer than what is reckoned with. */
const LONGER = 0.25;
/** What has not started so many milliseconds after its claim is handed back. */
export const STALE_AFTER_MS = 250;

/** Remembers how long the latest tasks took. */
export class ClaimAhead {
  readonly #places: number;
  readonly #latest: number[] = [];
  #next = 0;

  /** `places` = how many run at once. */
  constructor(places: number) {
    this.#places = places;
  }

  /** A task ran for so many milliseconds. */
  ran(ms: number): void {
    this.#latest[this.#next] = ms;
    this.#next = (this.#next + 1) % REMEMBERED;
  }

  /** How many to claim ahead while those that run have been running for so many milliseconds each. */
  room(runningMs: readonly number[]): number {
    if (this.#latest.length < this.#places) return 0;
    const sorted = this.#latest.toSorted((a, b) => b - a);
    const usual = Math.max(0.5, sorted[Math.floor(sorted.length * LONGER)] ?? 0);
    // Places with a longer task are not reckoned with: the others go on with what waits for all.
    const flowing = this.#places - runningMs.filter((ms) => ms >= AHEAD_MS).length;
    return Math.min(this.#places * AHEAD_OF_EACH, Math.floor((flowing * AHEAD_MS) / usual));
  }
}
