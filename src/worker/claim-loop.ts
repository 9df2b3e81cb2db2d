/** The conversation with the database: tells outcomes, takes work. One call at a time, so what ends meanwhile goes together. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../errors.ts";
import { isTransient } from "../metadata/transient.ts";
import type { AttemptOutcome, Capacity, ClaimIdentity, FinishReply } from "../metadata/work.ts";
import { backoff } from "./backoff.ts";
import { report } from "./task-result.ts";

/** What the loop needs. */
export interface ClaimLoopParts {
  /** One call of finishAndClaim under the present session. */
  exchange(outcomes: readonly AttemptOutcome[], capacity: Capacity, claim: ClaimIdentity): Promise<FinishReply>;
  /** Room for more attempts, with what runs and what was just told taken into account. */
  capacity(): Capacity;
  /** Whether there is work at hand meanwhile, so that outcomes may be told together. */
  mayWait(): boolean;
  /** Handles the answer. */
  answered(reply: FinishReply): void;
  warn(message: string): void;
}

/** Without a wake-up the queue is looked at this often. */
const POLL_MS = 1000;
/** So long, or until there are so many, outcomes are gathered while there is work at hand. */
const GATHER_MS = 10;
const GATHERED = 32;

/** Runs until stopped; keeps every outcome until the database has it. */
export class ClaimLoop {
  readonly #parts: ClaimLoopParts;
  #outcomes: AttemptOutcome[] = [];
  #woken = Promise.withResolvers<void>();
  #stopped = false;
  #call: Promise<unknown> = Promise.resolve();
  /** The last call was refused for good: outcomes are told one by one until one goes through. */
  #refused = false;
  #gathering: NodeJS.Timeout | null = null;
  readonly #replaced = new Set<string>();
  #ended: Promise<void> | null = null;

  constructor(parts: ClaimLoopParts) {
    this.#parts = parts;
  }

  /** Outcomes the database does not have yet. */
  get untold(): number {
    return this.#outcomes.length;
  }

  start(): void {
    this.#ended = this.#run();
  }

  /** Resolves when the call under way, if there is one, has been answered or has failed. */
  async callEnded(): Promise<void> {
    await this.#call;
  }

  /** Adds an outcome to be told. */
  tell(outcome: AttemptOutcome): void {
    this.#outcomes.push(outcome);
    this.onRoom();
  }

  /** An attempt is over: wakes the loop, at once or when enough has been gathered. */
  onRoom(): void {
    if (!this.#gathers()) this.wake();
    else this.#gathering ??= setTimeout(() => this.wake(), GATHER_MS);
  }

  /** There may be work. */
  wake(): void {
    if (this.#gathering) clearTimeout(this.#gathering);
    this.#gathering = null;
    this.#woken.resolve();
  }

  /** Ends the loop after the call under way; outcomes that are not told are lost. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.wake();
    await this.#ended;
  }

  async #run(): Promise<void> {
    let failures = 0;
    let claim = newClaim();
    while (!this.#stopped) {
      this.#woken = Promise.withResolvers<void>();
      // An outcome that the database refuses must not hold up the others.
      const told = failures > 0 && this.#refused ? this.#outcomes.slice(0, 1) : this.#outcomes.slice();
      try {
        const exchange = this.#exchange(told, claim).then((reply) => reply && this.#parts.answered(reply));
        this.#call = exchange.catch(() => {});
        await exchange;
        failures = 0;
        claim = newClaim();
        this.#outcomes = this.#outcomes.slice(told.length);
        if (this.#outcomes.length > 0 && !this.#gathers()) continue;
      } catch (error) {
        // The call may have been carried out and its answer lost: the same claim is asked for again.
        // guard: claim-id-kept
        claim = { ...claim, repeated: true };
        await this.#failed(error, told, ++failures);
        continue;
      }
      this.#refused = false;
      await this.#pause();
    }
  }

  #gathers(): boolean {
    return this.#parts.mayWait() && this.#outcomes.length < GATHERED;
  }

  /** Null when there is nothing to tell and no room. */
  async #exchange(told: readonly AttemptOutcome[], claim: ClaimIdentity): Promise<FinishReply | null> {
    const capacity = this.#parts.capacity();
    if (told.length === 0 && !claim.repeated && capacity.functions + capacity.operators === 0) return null;
    return this.#parts.exchange(told, capacity, claim);
  }

  async #failed(error: unknown, told: readonly AttemptOutcome[], failures: number): Promise<void> {
    if (isTransient(error)) {
      if (failures === 1)
        this.#parts.warn(`the database does not answer; outcomes are kept and told again: ${messageOf(error)}`);
    } else {
      this.#parts.warn(`the database refused a call: ${messageOf(error)}`);
      if (this.#refused && told.length === 1) this.#replaceRefused(told[0] as AttemptOutcome, error);
      this.#refused = true;
    }
    await sleep(backoff(failures));
  }

  /** What cannot be stored fails the task with the reason; where even that is refused, the lease will tell. */
  #replaceRefused(refused: AttemptOutcome, error: unknown): void {
    const { attemptId, token } = refused;
    const failure = report("INTERNAL", `the outcome could not be stored: ${messageOf(error)}`);
    const replaced = this.#replaced.has(attemptId);
    this.#outcomes.shift();
    if (replaced) return;
    this.#replaced.add(attemptId);
    this.#outcomes.unshift({ attemptId, token, state: "failed", retry: "retryable", error: failure });
  }

  async #pause(): Promise<void> {
    const poll = setTimeout(this.#woken.resolve, POLL_MS);
    await this.#woken.promise;
    clearTimeout(poll);
  }
}

function newClaim(): ClaimIdentity {
  return { claimId: randomUUID(), repeated: false };
}
