/** The worker's side of the asynchronous host: one child process in which all operators wait; restarted when it dies. */

import type { Config } from "../config.ts";
import { messageOf } from "../errors.ts";
import type { ClaimedTask } from "../metadata/work.ts";
import { HOST_MARKER } from "../processes/markers.ts";
import { backoff } from "./backoff.ts";
import { Child, type ChildExit } from "./child.ts";
import type { AttemptEnd, Executor, ExecutorEvents } from "./executor.ts";
import type { FromChild, HostInit, StopReason, TaskResult, ToChild } from "./protocol.ts";
import type { Secrets } from "./secret-store.ts";
import { sweepAttempt, sweepMarked } from "./sweep.ts";
import { report } from "./task-result.ts";

/** What a host is started with. */
export interface HostSpec {
  env: Readonly<Record<string, string>>;
  folder: string;
  config: Config;
  databaseUrl: string;
  secrets: () => Secrets;
}

/** An operator whose signal was aborted has this long to clean up, outside systems included, before its processes are ended. */
const STOP_GRACE_MS = 10_000;
/** Between TERM and KILL of those processes. */
const TERM_GRACE_MS = 10_000;
/** An operator that is no longer ours has less: everything of it must be gone within 5 s. */
const FENCED_GRACE_MS = 2000;
/** An operator that does not return after its processes are gone is given up; the host is then replaced when it is empty. */
const GIVE_UP_MS = 30_000;
const LOG_GRACE_MS = 10_000;
/** Between TERM and KILL of what a dead host's operators left. */
const LEFTOVER_MS = 1000;

interface Current {
  task: ClaimedTask;
  result: TaskResult | null;
  logEnded: boolean;
  stopping: StopReason | null;
  timer: NodeJS.Timeout | null;
}

/** Runs operators in a child process. */
export class HostProcess implements Executor {
  readonly #spec: HostSpec;
  readonly #events: ExecutorEvents;
  readonly #running = new Map<string, Current>();
  #child: Child | null = null;
  /** What this child was told last. */
  #told: Secrets | null = null;
  #usedAt = performance.now();
  #failures = 0;
  #stale = false;
  #closed: (() => void) | null = null;

  constructor(spec: HostSpec, events: ExecutorEvents) {
    this.#spec = spec;
    this.#events = events;
  }

  /** The host's process id; none between two. */
  get pids(): number[] {
    return this.#child ? [this.#child.pid] : [];
  }

  prewarm(): void {
    if (!this.#child && !this.#closed) this.#start();
  }

  run(task: ClaimedTask): void {
    const current: Current = { task, result: null, logEnded: false, stopping: null, timer: null };
    this.#running.set(task.attemptId, current);
    this.#usedAt = performance.now();
    // Between two hosts the attempt waits for the next one.
    if (this.#failures === 0) this.prewarm();
    this.#send(task);
  }

  stop(attemptId: string, reason: StopReason): void {
    const current = this.#running.get(attemptId);
    if (!current || current.stopping) return;
    current.stopping = reason;
    // Between two hosts nothing of it runs yet, and the next one must not start it.
    if (!this.#child) {
      this.#finish(current, { died: { code: null, signal: "SIGTERM" } });
      return;
    }
    this.#child.send({ type: "stop", attemptId, reason } satisfies ToChild<HostInit>);
    const [stopMs, termMs] = reason === "fenced" ? [FENCED_GRACE_MS, 1000] : [STOP_GRACE_MS, TERM_GRACE_MS];
    current.timer = setTimeout(() => void this.#endProcesses(current, termMs), stopMs);
  }

  /** Asks the host whether it holds something warm; only one that does not is ended. */
  rest(idleMs: number): void {
    if (performance.now() - this.#usedAt < idleMs || this.#running.size > 0) return;
    this.#child?.send({ type: "rest" } satisfies ToChild<HostInit>);
  }

  async close(): Promise<void> {
    const gone = new Promise<void>((done) => {
      this.#closed = done;
    });
    if (!this.#child) return;
    this.#child.signalGroup("SIGKILL");
    await gone;
  }

  #start(): void {
    this.#stale = false;
    const startedAt = performance.now();
    const child = new Child(
      { module: "host-main.ts", env: this.#spec.env, folder: this.#spec.folder, cwd: process.cwd() },
      {
        message: (message) => this.#onMessage(message),
        line: (attemptId, line, bytesCut) => {
          if (attemptId === null) this.#events.warn(`host: ${line.text}`);
          else this.#events.line(attemptId, line, bytesCut);
        },
        logEnded: (attemptId) => this.#onLogEnded(attemptId),
        exit: (exit) => this.#onExit(child, exit, performance.now() - startedAt),
      },
    );
    this.#child = child;
    this.#told = null;
    const { databaseUrl } = this.#spec;
    const environment = { ...this.#spec.config.environment, [HOST_MARKER]: child.nonce };
    const config = { ...this.#spec.config, environment };
    child.send({ type: "init", nonce: child.nonce, config, databaseUrl } satisfies ToChild<HostInit>);
  }

  #send(task: ClaimedTask): void {
    const secrets = this.#spec.secrets();
    if (this.#told !== secrets) this.#child?.send({ type: "secrets", secrets } satisfies ToChild<HostInit>);
    this.#told = this.#child ? secrets : null;
    this.#child?.send({ type: "run", task, bundlePath: null } satisfies ToChild<HostInit>);
  }

  #onMessage(message: FromChild): void {
    if (message.type === "idle") this.#end();
    if (message.type !== "done") return;
    const current = this.#running.get(message.attemptId);
    if (!current) return;
    const { result } = message;
    current.result = result;
    if (current.logEnded) this.#finish(current, { result });
    else setTimeout(() => this.#finish(current, { result }), LOG_GRACE_MS).unref();
  }

  #onLogEnded(attemptId: string): void {
    const current = this.#running.get(attemptId);
    if (!current) return;
    current.logEnded = true;
    if (current.result) this.#finish(current, { result: current.result });
  }

  /** From here on it is not the host any more: what comes now gets another one. */
  #end(): void {
    if (this.#running.size > 0 || this.#closed) return;
    this.#child?.signalGroup("SIGKILL");
    this.#child = null;
  }

  #onExit(child: Child, exit: ChildExit, livedMs: number): void {
    if (this.#child !== child) return;
    this.#child = null;
    if (this.#closed) {
      this.#closed();
      return;
    }
    const lost = [...this.#running.values()];
    this.#events.warn(
      `the host ended (${exit.signal ?? `exit code ${exit.code}`}) with ${lost.length} attempts; starting another`,
    );
    // What its operators keep running between attempts (warm drivers) is nobody's now.
    sweepMarked(HOST_MARKER, child.nonce, LEFTOVER_MS).catch((error: unknown) =>
      this.#events.warn(`sweep after the host: ${messageOf(error)}`),
    );
    for (const current of lost) {
      void this.#sweepThenEnd(current, current.result ? { result: current.result } : endOfHost(exit));
    }
    this.#failures = livedMs > 30_000 ? 1 : this.#failures + 1;
    setTimeout(() => this.#restart(), backoff(this.#failures)).unref();
  }

  /** Attempts that came while there was no host start with the new one. */
  #restart(): void {
    if (this.#closed) return;
    const waiting = [...this.#running.values()].filter(({ result }) => result === null);
    this.#start();
    for (const { task } of waiting) this.#send(task);
  }

  async #endProcesses(current: Current, termMs: number): Promise<void> {
    const { task } = current;
    await sweepAttempt(task, termMs).catch((error: unknown) =>
      this.#events.warn(`sweep of attempt ${task.attemptId}: ${String(error)}`),
    );
    if (this.#running.get(task.attemptId) !== current) return;
    current.timer = setTimeout(() => this.#giveUp(current), current.stopping === "fenced" ? 0 : GIVE_UP_MS);
  }

  #giveUp(current: Current): void {
    this.#events.warn(`operator of attempt ${current.task.attemptId} does not return after it was stopped; given up`);
    this.#stale = true;
    this.#finish(current, { died: { code: null, signal: "SIGKILL" } });
  }

  #finish(current: Current, end: AttemptEnd): void {
    const { task } = current;
    if (!this.#running.delete(task.attemptId)) return;
    if (current.timer) clearTimeout(current.timer);
    this.#events.ended(task.attemptId, end);
    if (this.#stale && this.#running.size === 0) this.#child?.signalGroup("SIGKILL");
  }

  async #sweepThenEnd(current: Current, end: AttemptEnd): Promise<void> {
    this.#running.delete(current.task.attemptId);
    if (current.timer) clearTimeout(current.timer);
    await sweepAttempt(current.task, 1000).catch((error: unknown) => this.#events.warn(`sweep: ${String(error)}`));
    this.#events.ended(current.task.attemptId, end);
  }
}

/** A host that ends by itself does not do so because of the one attempt that is asked about. */
function endOfHost(exit: ChildExit): AttemptEnd {
  if (exit.signal !== null) return { died: exit };
  const error = report("TASK_KILLED", `the process that runs operators ended with exit code ${exit.code}`);
  return { result: { state: "failed", retry: "infra", error } };
}
