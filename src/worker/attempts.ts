/** The attempts a worker runs: from claim to outcome, with timeouts and stops. */

import type { Masker } from "../metadata/secrets/mask.ts";
import { sensorTimedOut } from "../metadata/sensor-timeout.ts";
import type { AttemptOutcome, ClaimedTask } from "../metadata/work.ts";
import { backoff } from "./backoff.ts";
import type { BundleCache } from "./bundle-cache.ts";
import { type AttemptEnd, type Executor, resultOfDeath } from "./executor.ts";
import type { LogSink } from "./log-sink.ts";
import { safeResult } from "./mask-result.ts";
import type { StopReason, TaskResult } from "./protocol.ts";
import { underPolicy } from "./retry-policy.ts";
import { report } from "./task-result.ts";

/** What the attempts need. */
export interface AttemptsParts {
  functions: Executor;
  operators: Executor;
  bundles: BundleCache;
  sink: LogSink;
  masker: Masker;
  /** An outcome is ready to be told to the database. */
  finished(outcome: AttemptOutcome): void;
  /** An attempt is over, whether it has an outcome or was fenced. */
  over(): void;
  warn(message: string): void;
}

interface Active {
  task: ClaimedTask;
  stopping: StopReason | null;
  timeout: NodeJS.Timeout | null;
}

/** Longest delay that a timer of Node keeps. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Every attempt between its claim and its outcome. */
export class Attempts {
  readonly #parts: AttemptsParts;
  readonly #active = new Map<string, Active>();

  constructor(parts: AttemptsParts) {
    this.#parts = parts;
  }

  /** Attempts in runners and in the host. */
  get counts(): { functions: number; operators: number } {
    const all = [...this.#active.values()];
    const operators = all.filter(({ task }) => task.operator !== null).length;
    return { functions: all.length - operators, operators };
  }

  /** Whether the value of an attempt's environment marker names an attempt that is still active. */
  isLive(marker: string): boolean {
    return this.#active.has(marker) || [...this.#active.values()].some(({ task }) => task.token === marker);
  }

  /** Starts what was claimed; an attempt that is active already is left alone. */
  start(task: ClaimedTask): void {
    // guard: attempt-started-once
    if (this.#active.has(task.attemptId)) return;
    const active: Active = { task, stopping: null, timeout: null };
    this.#active.set(task.attemptId, active);
    this.#parts.sink.open(task);
    if (task.timeoutMs !== null) {
      active.timeout = setTimeout(
        () => this.stop(task.attemptId, "timeout"),
        Math.min(task.timeoutMs, LONGEST_TIMER_MS),
      );
    }
    if (task.operator !== null) this.#parts.operators.run(task, null);
    else void this.#runFunction(active);
  }

  /** Ends an attempt for a reason; the first reason counts. */
  stop(attemptId: string, reason: StopReason): void {
    const active = this.#active.get(attemptId);
    if (!active) return;
    // What is no longer ours has no outcome, whatever it was stopped for before.
    if (active.stopping !== null && reason !== "fenced") return;
    active.stopping = reason;
    const executor = active.task.operator === null ? this.#parts.functions : this.#parts.operators;
    executor.stop(attemptId, reason);
  }

  stopAll(reason: StopReason): void {
    for (const attemptId of [...this.#active.keys()]) this.stop(attemptId, reason);
  }

  /** A line of an attempt's log. */
  line: LogSink["add"] = (attemptId, line, bytesCut) => this.#parts.sink.add(attemptId, line, bytesCut);

  /** An executor is done with an attempt. */
  ended(attemptId: string, end: AttemptEnd): void {
    const active = this.#active.get(attemptId);
    if (active) void this.#end(active, end);
  }

  /** The bundle is asked for until the database answers: its absence for a while fails no task. */
  async #runFunction(active: Active): Promise<void> {
    const { task } = active;
    for (let failures = 1; active.stopping === null; failures++) {
      try {
        const path = await this.#parts.bundles.pathOf(task.bundleHash);
        if (active.stopping !== null) break;
        this.#parts.functions.run(task, path);
        // Should this process be killed, the host ends what the task has started.
        this.#parts.operators.prewarm();
        return;
      } catch (error) {
        this.#parts.warn(`bundle ${task.bundleHash}: ${String(error)}`);
        await new Promise((next) => setTimeout(next, backoff(failures)));
      }
    }
    this.ended(task.attemptId, { died: { code: null, signal: "SIGTERM" } });
  }

  async #end(active: Active, end: AttemptEnd): Promise<void> {
    const { task } = active;
    if (active.timeout) clearTimeout(active.timeout);
    const result = "result" in end ? end.result : underPolicy(resultOfDeath(end.died), task.retryPolicy);
    const exit = "died" in end ? { code: end.died.code, signal: end.died.signal } : undefined;
    const raw = active.stopping === null ? result : stoppedResult(task, active.stopping, result);
    const told = raw && safeResult(raw, this.#parts.masker);
    if (
      told &&
      told.state === "failed" &&
      (active.stopping !== null || "died" in end || told.error.code === "RESULT_SECRET")
    )
      this.#note(task, told.error.message);
    if (told) await this.#parts.sink.close(task.attemptId);
    else this.#parts.sink.abandon(task.attemptId);
    this.#active.delete(task.attemptId);
    // It may have been fenced while its log was stored.
    // guard: fenced-tells-nothing
    if (told && active.stopping !== "fenced") {
      this.#parts.finished({ attemptId: task.attemptId, token: task.token, ...(exit ? { exit } : {}), ...told });
    }
    this.#parts.over();
  }

  #note(task: ClaimedTask, text: string): void {
    this.#parts.sink.add(task.attemptId, { at: new Date().toISOString(), level: "error", text });
  }
}

/** The outcome of an attempt that was stopped; null = none, it is no longer ours. */
function stoppedResult(task: ClaimedTask, reason: StopReason, result: TaskResult): TaskResult | null {
  if (reason === "fenced") return null;
  // It may have ended by itself at the same moment; a timeout is kept, or it would depend on who was faster.
  if (reason !== "timeout" && result.state !== "failed") return result;
  if (reason === "timeout" && task.sensor !== null)
    return sensorTimedOut(task.sensor, "what it waits for did not come within its timeout");
  if (reason === "timeout") {
    const message = `the task ran longer than its timeout of ${(task.timeoutMs ?? 0) / 1000} s`;
    return underPolicy(
      { state: "failed", retry: "retryable", error: report("TASK_TIMEOUT", message) },
      task.retryPolicy,
    );
  }
  if (reason === "cancelled")
    return { state: "failed", retry: "fatal", error: report("TASK_CANCELLED", "the task was cancelled") };
  return { state: "failed", retry: "infra", handBack: true, error: report("TASK_KILLED", "the worker was stopped") };
}
