/**
 * Time that passes only when the driver says so. Timers, `performance.now()` and chance of code that runs for an actor are
 * virtual; those of everything else in the process (the driver, the database client) stay real.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { createRequire, syncBuiltinESMExports } from "node:module";
import type { Random } from "./random.ts";

/** Whoever runs under virtual time. */
export interface TimeOwner {
  readonly name: string;
}

/** A timer that has not fired. */
export interface VirtualTimer {
  readonly owner: TimeOwner;
  readonly at: number;
  fire(): void;
}

const owners = new AsyncLocalStorage<TimeOwner>();
const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  now: performance.now.bind(performance),
  random: Math.random,
};
type Sleep = (ms?: number, value?: unknown, options?: { signal?: AbortSignal }) => Promise<unknown>;
const promised = createRequire(import.meta.url)("node:timers/promises") as { setTimeout: Sleep };
const sleepReal = promised.setTimeout;

let clock: VirtualTime | null = null;

/** The timers of all owners, in milliseconds since the start. */
export class VirtualTime {
  now = 0;
  readonly #random: Random;
  readonly #timers = new Set<Timer>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** Runs `work`, and everything it starts, under this time. Chance is drawn from the seed. */
  run<T>(owner: TimeOwner, work: () => T): T {
    clock = this;
    return owners.run(owner, work);
  }

  /** Timers that are due, oldest first. */
  due(): VirtualTimer[] {
    return this.pending().filter((timer) => timer.at <= this.now);
  }

  /** All timers, the next one first. */
  pending(): VirtualTimer[] {
    return [...this.#timers].sort((a, b) => a.at - b.at || a.order - b.order);
  }

  /** Forgets the timers of an owner that is gone. */
  forget(owner: TimeOwner): void {
    for (const timer of this.#timers) if (timer.owner === owner) this.#timers.delete(timer);
  }

  add(owner: TimeOwner, call: () => void, ms: number, every: number | null): Timer {
    const timer = new Timer(this, { owner, at: this.now + Math.max(0, ms || 0), call, every });
    this.#timers.add(timer);
    return timer;
  }

  remove(timer: Timer): void {
    this.#timers.delete(timer);
  }

  random(): number {
    return this.#random.next();
  }
}

class Timer implements VirtualTimer {
  static #count = 0;
  readonly owner: TimeOwner;
  readonly order = Timer.#count++;
  at: number;
  readonly #time: VirtualTime;
  readonly #call: () => void;
  readonly #every: number | null;

  constructor(time: VirtualTime, given: { owner: TimeOwner; at: number; call: () => void; every: number | null }) {
    this.#time = time;
    this.owner = given.owner;
    this.at = given.at;
    this.#call = given.call;
    this.#every = given.every;
  }

  fire(): void {
    if (this.#every === null) this.#time.remove(this);
    else this.at = this.#time.now + this.#every;
    owners.run(this.owner, this.#call);
  }

  unref(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  clear(): void {
    this.#time.remove(this);
  }
}

function virtualized(): { time: VirtualTime; owner: TimeOwner } | null {
  const owner = owners.getStore();
  return owner && clock ? { time: clock, owner } : null;
}

function sleepVirtual(ms = 0, value?: unknown, options: { signal?: AbortSignal } = {}): Promise<unknown> {
  const here = virtualized();
  if (!here) return sleepReal(ms, value, options);
  const { signal } = options;
  if (signal?.aborted) return Promise.reject(new DOMException("aborted", "AbortError"));
  return new Promise((resolve, reject) => {
    const timer = here.time.add(here.owner, () => resolve(value), ms, null);
    signal?.addEventListener(
      "abort",
      () => {
        timer.clear();
        reject(new DOMException("aborted", "AbortError"));
      },
      { once: true },
    );
  });
}

/** Puts the virtual functions in place of the process's; once is enough. */
export function installVirtualTime(): void {
  const starter = (fallback: typeof real.setTimeout | typeof real.setInterval, repeats: boolean) =>
    ((call: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
      const here = virtualized();
      if (!here) return (fallback as (...given: unknown[]) => unknown)(call, ms, ...args);
      return here.time.add(here.owner, () => call(...args), ms, repeats ? ms : null);
    }) as unknown;
  const stopper = (fallback: (timer: never) => void) => (timer: unknown) =>
    timer instanceof Timer ? timer.clear() : fallback(timer as never);
  Object.assign(globalThis, {
    setTimeout: starter(real.setTimeout, false),
    setInterval: starter(real.setInterval, true),
    clearTimeout: stopper(real.clearTimeout),
    clearInterval: stopper(real.clearInterval),
  });
  performance.now = () => virtualized()?.time.now ?? real.now();
  Math.random = () => virtualized()?.time.random() ?? real.random();
  promised.setTimeout = sleepVirtual;
  syncBuiltinESMExports();
}
