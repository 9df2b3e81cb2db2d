/** A worker's session: its row in the database, the lease that covers all its attempts, the heartbeat that renews it. */
import { setTimeout as sleep } from "node:timers/promises";
import { QflowError } from "../errors.ts";
import { HEARTBEAT_SECONDS, type HeartbeatReply, type Revocation } from "../metadata/work.ts";
import { backoff } from "./backoff.ts";

/** What a session needs. */
export interface SessionParts {
  register(): Promise<{ workerId: string }>;
  heartbeat(workerId: string): Promise<HeartbeatReply>;
  /** The lease was renewed by a call that began at `sentAt` (`performance.now()`): it holds for its length from then on. */
  renewed(sentAt: number): void;
  /** The session is over: nothing that runs is ours any more. */
  lost(): void;
  revoked(revocations: readonly Revocation[]): void;
  warn(message: string): void;
}

/** Between two heartbeats. */
const HEARTBEAT_MS = HEARTBEAT_SECONDS * 1000;
const ASK_EVERY_MS = 1000;
/** A heartbeat that failed is repeated sooner. */
const TICK_MS = 500;
/** When this process was held up longer than this (suspended, swapped out), it asks at once whether it still owns its work. */
const GAP_MS = 3000;

/** Keeps one session alive, and registers another when it was ended. */
export class Session {
  readonly #parts: SessionParts;
  #workerId = "";
  #losses = 0;
  #registering: Promise<void> | null = null;
  #stopped = new AbortController();
  #loop: Promise<void> | null = null;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  get workerId(): string {
    return this.#workerId;
  }

  /** How many sessions have been lost: who asks before and after a call learns whether its session was over meanwhile. */
  get losses(): number {
    return this.#losses;
  }

  /** Registers, however long the database is away, and starts the heartbeat. */
  async start(): Promise<void> {
    await this.#register();
    this.#loop = this.#beat();
  }

  /** The session was ended by somebody else: gives up what runs under it and registers another. */
  renew(): Promise<void> {
    this.#registering ??= this.#replace().finally(() => {
      this.#registering = null;
    });
    return this.#registering;
  }

  /** Asks for revocations now, at most once a second: the heartbeat asks anyway. */
  askSoon(): void {
    if (performance.now() - this.#askedAt > ASK_EVERY_MS) void this.#ask();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
  }

  async #replace(): Promise<void> {
    this.#parts.warn(`session ${this.#workerId} is over; its attempts are ended and another one is registered`);
    this.#losses++;
    this.#parts.lost();
    await this.#register();
  }

  async #register(): Promise<void> {
    for (let failures = 1; !this.#stopped.signal.aborted; failures++) {
      try {
        const sentAt = performance.now();
        this.#workerId = (await this.#parts.register()).workerId;
        this.#parts.renewed(sentAt);
        return;
      } catch (error) {
        if (error instanceof QflowError && error.retry === "fatal") throw error;
        if (failures === 1) this.#parts.warn(`cannot register yet: ${String(error)}`);
        await this.#sleep(backoff(failures));
      }
    }
  }

  async #beat(): Promise<void> {
    let dueAt = performance.now() + HEARTBEAT_MS;
    let before = performance.now();
    while (!this.#stopped.signal.aborted) {
      await this.#sleep(TICK_MS);
      const now = performance.now();
      const wasHeldUp = now - before > GAP_MS;
      before = now;
      if (now < dueAt && !wasHeldUp) continue;
      const answered = await this.#ask();
      before = performance.now();
      dueAt = before + (answered ? HEARTBEAT_MS : TICK_MS);
    }
  }

  async #ask(): Promise<boolean> {
    const workerId = this.#workerId;
    const sentAt = performance.now();
    this.#askedAt = sentAt;
    try {
      const reply = await this.#parts.heartbeat(workerId);
      this.#parts.renewed(sentAt);
      this.#parts.revoked(reply.revoked);
      return true;
    } catch (error) {
      if (error instanceof QflowError && error.code === "WORKER_ENDED") {
        if (workerId === this.#workerId) await this.renew();
        return true;
      }
      this.#parts.warn(`heartbeat: ${String(error)}`);
      return false;
    }
  }

  async #sleep(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopped.signal }).catch(() => {});
  }
}
