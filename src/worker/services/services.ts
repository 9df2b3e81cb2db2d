/** The services of a worker: claims those that are to run, sees to what becomes of them, and lets none outlive its lease. */
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../errors.ts";
import type { Database } from "../../metadata/database.ts";
import type { ServiceEnd } from "../../metadata/services/types.ts";
import {
  claimServices,
  endService,
  type OrderedAttempt,
  reportService,
  serviceOrders,
} from "../../metadata/services/work.ts";
import { LEASE_SECONDS } from "../../metadata/worker-sessions.ts";
import { backoff } from "../backoff.ts";
import type { SessionCompanion } from "../core.ts";
import type { LogSink } from "../log-sink.ts";
import { monotonicMs } from "./guard-protocol.ts";
import type { Launcher } from "./launcher.ts";
import { ServiceRun } from "./service-run.ts";

/** What the services of a worker need. */
export interface ServicesParts {
  readonly database: Database;
  readonly launcher: Launcher;
  readonly sink: LogSink;
  /** Id of the worker's session as it is now. */
  workerId(): string;
  /** Makes sure that what starts now sees connections of that version. */
  refreshSecrets(version: number): Promise<void>;
  /** Hides secrets in what a failure tells. */
  mask(text: string): string;
  warn(message: string): void;
  /** Milliseconds of a clock that never goes back. Default: the machine's. */
  readonly clock?: () => number;
}

/** A program ends itself that long before its lease does. */
const SAFETY_MS = 4_000;
/** Without a wake-up the database is asked this often, and after one at most this often. */
const TURN_EVERY_MS = 5_000;
const TURN_AT_MOST_MS = 500;
const TICK_MS = 100;
/** For telling the end of programs that are gone, when the worker has no more time. */
const LAST_WORDS_MS = 5_000;

/** Every service that runs on this worker. */
export class Services implements SessionCompanion {
  readonly #parts: ServicesParts;
  readonly #clock: () => number;
  readonly #runs = new Map<string, ServiceRun>();
  readonly #over = new Set<Promise<void>>();
  #trustedUntil = Number.NEGATIVE_INFINITY;
  #wanted = true;
  #turnAt = Number.NEGATIVE_INFINITY;
  #turn: Promise<void> | null = null;
  #failures = 0;
  /** A call may have claimed what we do not know of. */
  #doubtful = false;
  #draining = false;
  #closed = false;
  #losses = 0;
  #ticker: NodeJS.Timeout | null = null;

  constructor(parts: ServicesParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? monotonicMs;
  }

  /** Whether the value of a process's attempt marker is that of an attempt that runs here. */
  isLive(marker: string): boolean {
    return [...this.#runs.values()].some(({ claimed }) => claimed.token === marker);
  }

  /** Begins to look after services. */
  start(): void {
    this.#ticker ??= setInterval(() => this.tick(), TICK_MS).unref();
  }

  wake(): void {
    this.#wanted = true;
  }

  renewed(sentAt: number): void {
    const held = performance.now() - sentAt;
    this.#trustedUntil = this.#clock() - held + LEASE_SECONDS * 1000 - SAFETY_MS;
    for (const run of this.#runs.values()) run.trust(this.#trustedUntil);
  }

  lost(): void {
    this.#losses++;
    for (const run of this.#runs.values()) run.fence();
    // Under the next session they may be claimed again.
    this.#wanted = true;
  }

  async drain(hurry: Promise<void>): Promise<void> {
    this.#draining = true;
    await this.#turn;
    for (const run of this.#runs.values()) run.drain("its worker stops");
    void hurry.then(() => {
      for (const run of this.#runs.values()) run.hurry("its worker stops");
    });
    const late = hurry.then(() => this.#gone()).then(() => sleep(LAST_WORDS_MS, undefined, { ref: false }));
    await Promise.race([this.#allOver(), late]);
  }

  async #allOver(): Promise<void> {
    while (this.#over.size > 0) await Promise.all(this.#over);
  }

  async #gone(): Promise<void> {
    await Promise.all([...this.#runs.values()].map(({ gone }) => gone));
  }

  /** The end of the worker: nothing is looked after any more, and what was not told or stored yet is lost. The lease tells the rest. */
  close(): void {
    this.#closed = true;
    for (const run of this.#runs.values()) run.abandon();
    if (this.#ticker) clearInterval(this.#ticker);
    this.#parts.sink.end();
  }

  /** Does what is due now. */
  tick(): void {
    for (const run of this.#runs.values()) run.tick();
    const now = this.#clock();
    const due = this.#wanted ? now - this.#turnAt >= TURN_AT_MOST_MS : now - this.#turnAt >= TURN_EVERY_MS;
    if (this.#turn !== null || this.#draining || !due) return;
    this.#wanted = false;
    this.#turn = this.#takeTurn().finally(() => {
      this.#turnAt = this.#clock() + (this.#failures > 0 ? backoff(this.#failures) : 0);
      this.#turn = null;
    });
  }

  async #takeTurn(): Promise<void> {
    const workerId = this.#parts.workerId();
    if (workerId === "") return;
    try {
      if (this.#runs.size > 0 || this.#doubtful) await this.#obey(workerId);
      this.#doubtful = true;
      await this.#claim(workerId);
      this.#doubtful = false;
      this.#failures = 0;
    } catch (error) {
      if (this.#failures++ === 0) this.#parts.warn(`services: ${messageOf(error)}`);
      this.#wanted = true;
    }
  }

  async #obey(workerId: string): Promise<void> {
    const known = [...this.#runs.values()];
    const orders = await serviceOrders(this.#parts.database, workerId);
    for (const run of known) {
      const order = orders.get(run.claimed.attemptId);
      if (order === undefined) run.fence();
      else if (order.reason !== null) run.drain(order.reason);
    }
    for (const order of orders.values()) if (!this.#runs.has(order.attemptId)) await this.#giveBack(order);
  }

  /** Claimed by a call whose answer was lost: nothing of it runs. */
  async #giveBack(order: OrderedAttempt): Promise<void> {
    await endService(this.#parts.database, order, { state: "stopped", reason: "it was not started" });
  }

  /** One at a time: with several workers each gets some. */
  async #claim(workerId: string): Promise<void> {
    const losses = this.#losses;
    const claimed = await claimServices(this.#parts.database, workerId, 1);
    for (const one of claimed) {
      await this.#parts.refreshSecrets(one.secretsVersion);
      // What was claimed under a session that is over by now belongs to whoever claims it next.
      if (this.#losses !== losses) return;
      this.#begin(one);
      this.#wanted = true;
    }
  }

  #begin(claimed: Parameters<Launcher["start"]>[0]): void {
    const { database, launcher, sink, warn } = this.#parts;
    const { attemptId, serviceId } = claimed;
    sink.open(claimed);
    const run = new ServiceRun({
      claimed,
      launcher,
      clock: this.#clock,
      trustedUntil: () => this.#trustedUntil,
      send: (report) => reportService(database, claimed, report),
      log: (level, text, cut = 0) => sink.add(attemptId, { at: new Date().toISOString(), level, text }, cut),
      warn: (message) => warn(`service ${serviceId}: ${message}`),
    });
    this.#runs.set(attemptId, run);
    const over = this.#untilOver(run).finally(() => this.#over.delete(over));
    this.#over.add(over);
  }

  async #untilOver(run: ServiceRun): Promise<void> {
    const { attemptId, serviceId } = run.claimed;
    const losses = this.#losses;
    const end = await run.run();
    if (end === null) this.#parts.sink.abandon(attemptId);
    else await this.#parts.sink.close(attemptId);
    for (let failures = 1; end !== null && this.#losses === losses && !this.#closed; failures++) {
      try {
        await endService(this.#parts.database, run.claimed, this.#masked(end));
        break;
      } catch (error) {
        if (failures === 1) this.#parts.warn(`service ${serviceId}: its end is told again: ${messageOf(error)}`);
        await sleep(backoff(failures));
      }
    }
    this.#runs.delete(attemptId);
    this.wake();
  }

  /** The last words of a program may hold what it was given. */
  #masked(end: ServiceEnd): ServiceEnd {
    if (end.error === undefined) return end;
    return { ...end, error: { ...end.error, message: this.#parts.mask(end.error.message) } };
  }
}
