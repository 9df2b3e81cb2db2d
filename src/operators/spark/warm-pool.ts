/** The warm Spark drivers of one worker host: lent to one job at a time, started when needed, stopped when idle. */
import type { Config } from "../../config.ts";
import { isAlive, type ProcessIdentity } from "../../processes/table.ts";
import { WarmDriver } from "./warm-driver.ts";

/** A driver is replaced after this many jobs: what applications leak in a JVM is bounded. */
const JOBS_PER_DRIVER = 500;

interface Waiter {
  settle(driver: WarmDriver): void;
  fail(error: unknown): void;
}

/** Lends drivers, at most `config.sparkDrivers` at once. Whoever waits is served in order. */
export class WarmPool {
  readonly #config: Config;
  readonly #idle: { driver: WarmDriver; timer: NodeJS.Timeout }[] = [];
  readonly #all = new Set<WarmDriver>();
  readonly #waiting: Waiter[] = [];
  #starting = 0;

  constructor(config: Config) {
    this.#config = config;
  }

  /** A free driver, once there is one. Rejects with the signal's reason, or as {@link WarmDriver.start} does. */
  acquire(signal: AbortSignal): Promise<WarmDriver> {
    return new Promise((settle, fail) => {
      const waiter: Waiter = {
        settle: (driver) => {
          signal.removeEventListener("abort", onAbort);
          settle(driver);
        },
        fail,
      };
      const onAbort = () => {
        const at = this.#waiting.indexOf(waiter);
        if (at >= 0) this.#waiting.splice(at, 1);
        fail(signal.reason);
      };
      if (signal.aborted) return fail(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(waiter);
      void this.#serve();
    });
  }

  /** Gives a driver back. One that is of no more use is ended. */
  async release(driver: WarmDriver): Promise<void> {
    if (driver.usable && driver.jobs < JOBS_PER_DRIVER) {
      const timer = setTimeout(() => void this.#retire(driver), this.#config.sparkIdleSeconds * 1000);
      timer.unref();
      this.#idle.push({ driver, timer });
    } else await this.#retire(driver);
    await this.#serve();
  }

  /** Whether this process belongs to a driver of this pool. */
  owns(process: ProcessIdentity): boolean {
    return [...this.#all].some(
      ({ identity }) => identity.pid === process.pid && identity.startedAt === process.startedAt,
    );
  }

  /** Whether a driver runs or is about to. */
  get isEmpty(): boolean {
    return this.#all.size + this.#starting === 0;
  }

  /** Ends all drivers. */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map((driver) => this.#retire(driver)));
  }

  async #serve(): Promise<void> {
    while (this.#waiting.length > 0) {
      const free = await this.#takeIdle();
      const waiter = free === null ? undefined : this.#waiting.shift();
      if (free !== null && waiter === undefined) return this.release(free);
      if (free !== null) waiter?.settle(free);
      else if (this.#all.size + this.#starting < this.#config.sparkDrivers) return this.#start();
      else return;
    }
  }

  async #takeIdle(): Promise<WarmDriver | null> {
    for (let entry = this.#idle.pop(); entry !== undefined; entry = this.#idle.pop()) {
      clearTimeout(entry.timer);
      // Killed a moment ago, its end not yet heard of.
      if (entry.driver.usable && (await isAlive(entry.driver.identity))) return entry.driver;
      await this.#retire(entry.driver);
    }
    return null;
  }

  async #start(): Promise<void> {
    this.#starting++;
    try {
      const driver = await WarmDriver.start(this.#config);
      this.#all.add(driver);
      this.#starting--;
      void driver.gone.then(() => this.#all.delete(driver));
      await this.release(driver);
    } catch (error) {
      this.#starting--;
      this.#waiting.shift()?.fail(error);
      await this.#serve();
    }
  }

  async #retire(driver: WarmDriver): Promise<void> {
    const at = this.#idle.findIndex((entry) => entry.driver === driver);
    if (at >= 0) clearTimeout(this.#idle.splice(at, 1)[0]?.timer);
    await driver.stop();
    this.#all.delete(driver);
  }
}

const pools = new WeakMap<Config, WarmPool>();

/** The pool that belongs to a process's settings. */
export function warmPoolOf(config: Config): WarmPool {
  const pool = pools.get(config) ?? new WarmPool(config);
  pools.set(config, pool);
  return pool;
}

/** Whether a process with these settings has warm drivers, which would end with it. */
export function holdsDrivers(config: Config): boolean {
  return pools.get(config)?.isEmpty === false;
}

/**
 * Starts one warm driver ahead of its first job, in this process; a host calls it when it starts. Resolves when the driver is ready and
 * does nothing where no Spark is set up or no driver is kept warm.
 */
export async function prewarmSpark(config: Config): Promise<void> {
  if (config.spark === null || config.sparkDrivers === 0) return;
  const pool = warmPoolOf(config);
  await pool.release(await pool.acquire(new AbortController().signal));
}
