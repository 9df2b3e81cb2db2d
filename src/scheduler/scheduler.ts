/** The scheduler's loop: creates runs, fires timers, rescues lost work. Any number may run against one database. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, QflowError } from "../errors.ts";
import type { Database } from "../metadata/database.ts";
import { fireDeadlines } from "../metadata/deadlines.ts";
import { startableDags } from "../metadata/due-dags.ts";
import { type DueWork, dueWork, LOOK_STEPS, type LookStep } from "../metadata/due-work.ts";
import { hostId } from "../metadata/host-identity.ts";
import { listen } from "../metadata/listen.ts";
import { ensurePartitions } from "../metadata/partitions.ts";
import { revokeTimedOut } from "../metadata/rescue.ts";
import type { RetentionPolicy } from "../metadata/retention.ts";
import { startRuns } from "../metadata/runs.ts";
import { endScheduler, tellLook } from "../metadata/scheduler-sessions.ts";
import { tendServices } from "../metadata/services/work.ts";
import { expireClocks, queueDueRetries } from "../metadata/timers.ts";
import { backoffMs, isTransient } from "../metadata/transient.ts";
import { wakeWith } from "../metadata/wake.ts";
import { createBackfillRuns } from "./backfill-runs.ts";
import { createDatasetRuns } from "./dataset-runs.ts";
import { createDueRuns } from "./due-runs.ts";
import { startHousekeeping } from "./housekeeping.ts";
import { LostWorkerSearch } from "./lost-workers.ts";
import { startMessages } from "./messages.ts";
import { startWaits, type WaitsOptions } from "./waits.ts";

/** How a scheduler is set up. */
export interface SchedulerOptions {
  /** Longest time between two looks, in milliseconds. Default 1,000. */
  readonly pollMs?: number;
  /** Milliseconds of a clock that never goes back. Default: the process's. */
  readonly clock?: () => number;
  /** Told what went wrong; the loop goes on. Default: standard error. */
  readonly warn?: (message: string) => void;
  /** What is removed when it is old. Default: nothing. */
  readonly retention?: RetentionPolicy;
  /** Connections that waits use, by id. Default: there are none. */
  readonly connection?: WaitsOptions["connection"];
}

/** A running scheduler. */
export interface Scheduler {
  /** Ends the loop after the look under way. */
  stop(): Promise<void>;
}

const PARTITIONS_EVERY_MS = 3_600_000;
const LOST_EVERY_MS = 1_000;

/** Starts the loop in this process. */
export async function startScheduler(database: Database, options: SchedulerOptions = {}): Promise<Scheduler> {
  const host = await hostId();
  const look = new Look(database, host, options);
  const stopping = new AbortController();
  const waits = startWaits(database, {
    connection: options.connection ?? noConnection,
    warn: options.warn ?? ((message) => console.error(`scheduler: ${message}`)),
    ...(options.pollMs === undefined ? {} : { pollMs: options.pollMs }),
  });
  const messages = startMessages(database, {
    connection: options.connection ?? noConnection,
    warn: options.warn ?? ((message) => console.error(`scheduler: ${message}`)),
  });
  const tell = lookTeller(database, host);
  const housekeeping = startHousekeeping(database, options);
  let woken = Promise.withResolvers<void>();
  const unlisten = listen(database, "qflow_scheduler", () => {
    woken.resolve();
    waits.wake();
    messages.wake();
  });
  const loop = (async () => {
    for (let failures = 0; !stopping.signal.aborted; ) {
      woken = Promise.withResolvers<void>();
      const startedAt = performance.now();
      const { waitMs, waitsDue, failed } = await look.once();
      if (!failed) await tell.looked(performance.now() - startedAt);
      // Runs that it started may begin with waits.
      if (waitsDue) waits.wake();
      failures = failed ? failures + 1 : 0;
      const pause = failed ? backoffMs(failures, Math.random()) : waitMs;
      await Promise.race([failed ? new Promise(() => {}) : woken.promise, rest(pause, stopping.signal)]);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all([unlisten(), loop, waits.stop(), messages.stop(), housekeeping.stop()]);
      await tell.ended();
    },
  };
}

const TELL_EVERY_MS = 5_000;

/** Tells that this scheduler lives, every few seconds; what cannot be told is told the next time. */
function lookTeller(database: Database, host: string) {
  const schedulerId = randomUUID();
  let toldAt = Number.NEGATIVE_INFINITY;
  return {
    looked: async (lookMs: number) => {
      if (performance.now() - toldAt < TELL_EVERY_MS) return;
      toldAt = performance.now();
      await tellLook(database, { schedulerId, hostId: host, pid: process.pid, lookMs }).catch(() => {});
    },
    ended: () => endScheduler(database, schedulerId).catch(() => {}),
  };
}

async function noConnection(id: string): Promise<never> {
  throw new QflowError("CONNECTION_UNKNOWN", `there is no connection ${id}`);
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}

/** What one look found out. */
export interface LookReport {
  /** Milliseconds until the next look is due, unless woken. */
  readonly waitMs: number;
  /** Whether somebody should look at waits. */
  readonly waitsDue: boolean;
  /** Whether the database could not be had. */
  readonly failed: boolean;
}

/** One scheduler's look at everything; {@link startScheduler} repeats it. */
export class Look {
  readonly #database: Database;
  readonly #lost: LostWorkerSearch;
  readonly #pollMs: number;
  readonly #host: string;
  readonly #clock: () => number;
  readonly #warn: (message: string) => void;
  #lostAt = Number.NEGATIVE_INFINITY;
  #partitionsAt = Number.NEGATIVE_INFINITY;

  constructor(database: Database, host: string, options: SchedulerOptions = {}) {
    this.#database = database;
    this.#host = host;
    this.#lost = new LostWorkerSearch(host);
    this.#pollMs = options.pollMs ?? 1_000;
    this.#clock = options.clock ?? (() => performance.now());
    this.#warn = options.warn ?? ((message) => console.error(`scheduler: ${message}`));
  }

  /** Does all that is to be done now. A step that fails does not hold up the others; never throws. */
  async once(): Promise<LookReport> {
    const steps = this.#steps();
    let failed = false;
    for (;;) {
      const due = await this.#due();
      if (due === null) return { waitMs: this.#pollMs, waitsDue: false, failed: true };
      const found = LOOK_STEPS.filter((name) => due[name] && steps.has(name));
      if (found.length === 0) return { waitMs: this.#restMs(due), waitsDue: due.waits, failed };
      for (const name of found) {
        failed = !(await this.#attempt(steps.get(name) ?? (async () => {}))) || failed;
        // What one step did may be another's work: it is looked for again, but no step is done twice.
        steps.delete(name);
      }
    }
  }

  #steps(): Map<LookStep, () => Promise<unknown>> {
    const database = this.#database;
    const steps: Record<LookStep, () => Promise<unknown>> = {
      dueRuns: () => this.#dueRuns(),
      datasetRuns: () => this.#datasetRuns(),
      queuedRuns: () => this.#queuedRuns(),
      backfillRuns: () => this.#backfillRuns(),
      retries: async () => {
        if ((await queueDueRetries(database)) > 0) await wakeWith(database, "qflow_work");
      },
      timeouts: () => revokeTimedOut(database),
      clocks: () => expireClocks(database),
      deadlines: () => fireDeadlines(database),
      lostWorkers: () => this.#lost.look(database, this.#clock()),
      services: () => tendServices(database),
    };
    return new Map(LOOK_STEPS.map((name) => [name, steps[name]]));
  }

  /** What is to be done; null while the database does not answer. */
  async #due(): Promise<DueWork | null> {
    let due: DueWork | null = null;
    const answered = await this.#attempt(async () => {
      await this.#partitions();
      due = await this.#withGoneWorkers(await dueWork(this.#database, this.#host));
    });
    return answered ? due : null;
  }

  /** A worker of this host whose process is gone is not waited for. */
  async #withGoneWorkers(due: DueWork): Promise<DueWork> {
    const now = this.#clock();
    if (now - this.#lostAt < LOST_EVERY_MS) return { ...due, lostWorkers: false };
    this.#lostAt = now;
    if (due.lostWorkers || (await this.#lost.anyGone(due.sessions))) return { ...due, lostWorkers: true };
    this.#lost.goesOn(now);
    return due;
  }

  #restMs({ nextInMs }: DueWork): number {
    return nextInMs === null ? this.#pollMs : Math.min(this.#pollMs, Math.max(1, nextInMs));
  }

  /** Whether the database answered. Other errors are reported and belong to the step alone. */
  async #attempt(step: () => Promise<unknown>): Promise<boolean> {
    try {
      await step();
      return true;
    } catch (error) {
      this.#warn(messageOf(error));
      return !isTransient(error);
    }
  }

  async #dueRuns(): Promise<void> {
    for (;;) {
      const { more, refused } = await createDueRuns(this.#database);
      for (const { dagId, error } of refused) this.#warn(`DAG ${dagId} cannot be scheduled: ${messageOf(error)}`);
      if (!more) return;
    }
  }

  async #datasetRuns(): Promise<void> {
    const { refused } = await createDatasetRuns(this.#database);
    for (const { dagId, error } of refused)
      this.#warn(`DAG ${dagId} gets no run of its dataset events: ${messageOf(error)}`);
  }

  async #queuedRuns(): Promise<void> {
    for (const dagId of await startableDags(this.#database)) {
      try {
        await this.#database.transaction((sql) => startRuns(sql, dagId));
      } catch (error) {
        if (isTransient(error)) throw error;
        this.#warn(`runs of DAG ${dagId} cannot be started: ${messageOf(error)}`);
      }
    }
  }

  async #backfillRuns(): Promise<void> {
    const { refused } = await createBackfillRuns(this.#database);
    for (const { id, error } of refused) this.#warn(`backfill ${id} cannot go on and is paused: ${messageOf(error)}`);
  }

  async #partitions(): Promise<void> {
    const now = this.#clock();
    if (now - this.#partitionsAt < PARTITIONS_EVERY_MS) return;
    this.#partitionsAt = now;
    await ensurePartitions(this.#database);
  }
}
