/** The worker's side of one runner process: one attempt at a time, the kill ladder, and what its end means. */
import type { ClaimedTask } from "../metadata/work.ts";
import { Child, type ChildExit } from "./child.ts";
import { type AttemptEnd, type ExecutorEvents, type Patience, patienceFor } from "./executor.ts";
import type { FromChild, RunnerInit, StopReason, TaskResult, ToChild } from "./protocol.ts";
import type { Secrets } from "./secret-store.ts";
import { sweepAttempt } from "./sweep.ts";

/** What every runner of a worker is started with. */
export interface RunnerSpec {
  env: Readonly<Record<string, string>>;
  folder: string;
  secrets: () => Secrets;
  patience: Patience;
}

/** What the pool hears beside what the worker hears. */
export interface RunnerEvents extends ExecutorEvents {
  gone(runner: Runner): void;
}

/** A runner is replaced after this many attempts, so that what tasks leave in memory does not add up. */
const ATTEMPTS_A_RUNNER = 500;
/** The end of the log is in the pipes when the result comes; a descendant that fills them may delay it this long. */
const LOG_GRACE_MS = 10_000;

interface Current {
  task: ClaimedTask;
  result: TaskResult | null;
  logEnded: boolean;
  timer: NodeJS.Timeout | null;
  stopping: StopReason | null;
}

/** One runner process. */
export class Runner {
  readonly #child: Child;
  readonly #events: RunnerEvents;
  readonly #patience: Patience;
  #current: Current | null = null;
  #attempts = 0;
  readonly #secrets: () => Secrets;
  /** What it was told last. */
  #told: Secrets | null = null;
  #unsound = false;

  constructor(spec: RunnerSpec, events: RunnerEvents) {
    this.#events = events;
    this.#patience = spec.patience;
    this.#secrets = spec.secrets;
    this.#child = new Child(
      { module: "runner-main.ts", env: spec.env, folder: spec.folder },
      {
        message: (message) => this.#onMessage(message),
        line: (attemptId, line, bytesCut) => {
          // What is printed belongs to the attempt that runs; between two there is nobody to read it.
          const owner = attemptId ?? this.#current?.task.attemptId;
          if (owner !== undefined) events.line(owner, line, bytesCut);
        },
        logEnded: (attemptId) => this.#onLogEnded(attemptId),
        exit: (exit) => this.#onExit(exit),
      },
    );
    this.#send({ type: "init", nonce: this.#child.nonce });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Whether it can take an attempt now. */
  get isIdle(): boolean {
    return this.#current === null && !this.#unsound && this.#child.exited === null;
  }

  run(task: ClaimedTask, bundlePath: string | null): void {
    this.#attempts++;
    this.#current = { task, result: null, logEnded: false, timer: null, stopping: null };
    this.#tellSecrets();
    this.#send({ type: "run", task, bundlePath });
  }

  /** Loads a bundle ahead of its first task. */
  prepare(bundlePath: string): void {
    this.#send({ type: "prepare", bundlePath });
  }

  isRunning(attemptId: string): boolean {
    return this.#current?.task.attemptId === attemptId;
  }

  /** The kill ladder: aborted signal, TERM to the group, KILL to the group; then whatever left the group. */
  stop(attemptId: string, reason: StopReason): void {
    const current = this.#current;
    if (!current || current.task.attemptId !== attemptId || current.stopping) return;
    current.stopping = reason;
    this.#unsound = true;
    const patience = patienceFor(reason, this.#patience);
    this.#send({ type: "stop", attemptId, reason });
    const step = (signal: NodeJS.Signals, next: () => void, afterMs: number) => {
      this.#child.signalGroup(signal);
      current.timer = setTimeout(next, afterMs);
    };
    const kill = () => step("SIGKILL", () => {}, 0);
    current.timer = setTimeout(() => step("SIGTERM", kill, patience.termMs), patience.abortMs);
  }

  /** Ends the process and its group at once. */
  kill(): void {
    this.#unsound = true;
    this.#child.signalGroup("SIGKILL");
  }

  #tellSecrets(): void {
    const secrets = this.#secrets();
    if (this.#told === secrets) return;
    this.#told = secrets;
    this.#send({ type: "secrets", secrets });
  }

  #send(message: ToChild<RunnerInit>): void {
    this.#child.send(message);
  }

  #onMessage(message: FromChild): void {
    const current = this.#current;
    if (message.type === "unsound") {
      this.#unsound = true;
      if (!current) this.kill();
    }
    if (message.type !== "done" || current?.task.attemptId !== message.attemptId) return;
    current.result = message.result;
    if (message.unsound || this.#child.outputClosed) this.#unsound = true;
    if (current.logEnded || this.#child.outputClosed) this.#finish(current, { result: message.result });
    else setTimeout(() => this.#finish(current, { result: message.result }), LOG_GRACE_MS).unref();
  }

  #onLogEnded(attemptId: string): void {
    const current = this.#current;
    if (current?.task.attemptId !== attemptId) return;
    current.logEnded = true;
    if (current.result) this.#finish(current, { result: current.result });
  }

  #onExit(exit: ChildExit): void {
    this.#unsound = true;
    const current = this.#current;
    if (current) this.#finish(current, current.result ? { result: current.result } : { died: exit });
    this.#events.gone(this);
  }

  #finish(current: Current, end: AttemptEnd): void {
    if (this.#current !== current) return;
    this.#current = null;
    if (current.timer) clearTimeout(current.timer);
    const { task } = current;
    if (this.#unsound || this.#attempts >= ATTEMPTS_A_RUNNER) this.kill();
    if (current.stopping || "died" in end) void this.#sweepThenEnd(task, end);
    else this.#events.ended(task.attemptId, end);
  }

  /** An attempt that did not end by itself may have left processes outside of the group: it ends when they are gone. */
  async #sweepThenEnd(task: ClaimedTask, end: AttemptEnd): Promise<void> {
    const swept = await sweepAttempt(task, 1000).catch((error: unknown) => {
      this.#events.warn(`sweep of attempt ${task.attemptId}: ${String(error)}`);
      return 0;
    });
    if (swept > 0) this.#events.warn(`attempt ${task.attemptId} had left ${swept} processes, which were ended`);
    this.#events.ended(task.attemptId, end);
  }
}
