/** What the worker asks of whatever runs attempts: the runner pool and the host. */
import { constants } from "node:os";
import type { ClaimedTask, LogLine } from "../metadata/work.ts";
import type { ChildExit } from "./child.ts";
import type { StopReason, TaskResult } from "./protocol.ts";
import { report } from "./task-result.ts";

/** How an attempt came to its end: the process told a result, or it is gone without one. */
export type AttemptEnd = { result: TaskResult } | { died: ChildExit };

/** What an executor tells. */
export interface ExecutorEvents {
  line(attemptId: string, line: LogLine, bytesCut: number): void;
  /** Exactly once for every attempt given to `run`; its log is complete. */
  ended(attemptId: string, end: AttemptEnd): void;
  /** Something the worker's operator should know. */
  warn(message: string): void;
}

/** Runs attempts in child processes. */
export interface Executor {
  /** Process ids of its living processes. */
  readonly pids: readonly number[];
  /** Gets ready ahead of the first attempt. */
  prewarm(): void;
  run(task: ClaimedTask, bundlePath: string | null): void;
  /** Ends processes when no attempt has needed one for so long; the next attempt starts them again. */
  rest(idleMs: number): void;
  /** Runs the kill ladder of one attempt; `ended` follows. An unknown attempt is ignored. */
  stop(attemptId: string, reason: StopReason): void;
  /** Ends every process; resolves when they are gone. */
  close(): Promise<void>;
}

/** Patience of the kill ladder, in milliseconds. */
export interface Patience {
  /** Between the aborted signal and TERM. */
  abortMs: number;
  /** Between TERM and KILL. */
  termMs: number;
}

/** The ladder of an attempt that is stopped by wish. */
export const PATIENCE: Patience = { abortMs: 2000, termMs: 10_000 };

/** What is no longer ours must be gone within 5 s. */
const FENCED_PATIENCE: Patience = { abortMs: 500, termMs: 1500 };

/** The ladder for a reason; `wished` is that of a stop by wish. */
export function patienceFor(reason: StopReason, wished: Patience): Patience {
  return reason === "fenced" ? FENCED_PATIENCE : wished;
}

/** The result of an attempt whose process is gone. */
export function resultOfDeath(exit: ChildExit): TaskResult {
  if (exit.signal === null) {
    const message = `the task's process ended with exit code ${exit.code ?? "unknown"} before the task did`;
    return { state: "failed", retry: "retryable", error: report("TASK_EXITED", message, undefined, { ...exit }) };
  }
  const number = constants.signals[exit.signal];
  const likely =
    { SIGKILL: " (likely out of memory)", SIGABRT: " (likely out of JavaScript heap)" }[exit.signal as string] ?? "";
  const message = `killed by signal ${number}${likely}`;
  return { state: "failed", retry: "infra", error: report("TASK_KILLED", message, undefined, { ...exit }) };
}
