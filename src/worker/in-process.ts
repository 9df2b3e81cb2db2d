/** Runs task functions in this process: for tests of DAGs, whose functions exist nowhere else. */

import type { TaskContext } from "../dag/operator.ts";
import type { ClaimedTask, LogLine } from "../metadata/work.ts";
import { AttemptStopped } from "../operators/attempt-stopped.ts";
import type { Executor, ExecutorEvents } from "./executor.ts";
import type { StopReason } from "./protocol.ts";
import type { Secrets } from "./secret-store.ts";
import { buildContext } from "./task-context.ts";
import { logTextOf, resultOf, resultOfError, withDeclared } from "./task-result.ts";

/** The function of a task; it is called with `(inputs, ctx)`, for a map with `(item, ctx)`. */
export type FunctionOf = (dagId: string, taskId: string) => (input: unknown, context: TaskContext) => unknown;

/** Runs attempts as calls of functions of this process. A function that ignores its signal cannot be ended. */
export class InProcess implements Executor {
  readonly pids: readonly number[] = [];
  readonly #functionOf: FunctionOf;
  readonly #secrets: Secrets;
  readonly #events: ExecutorEvents;
  readonly #running = new Map<string, AbortController>();

  constructor(functionOf: FunctionOf, secrets: Secrets, events: ExecutorEvents) {
    this.#functionOf = functionOf;
    this.#secrets = secrets;
    this.#events = events;
  }

  prewarm(): void {}

  rest(): void {}

  run(task: ClaimedTask): void {
    void this.#run(task);
  }

  stop(attemptId: string, reason: StopReason): void {
    this.#running.get(attemptId)?.abort(new AttemptStopped(reason));
  }

  async close(): Promise<void> {
    for (const attemptId of this.#running.keys()) this.stop(attemptId, "shutdown");
  }

  async #run(task: ClaimedTask): Promise<void> {
    const abort = new AbortController();
    this.#running.set(task.attemptId, abort);
    const result = await this.#call(task, abort.signal).catch((error: unknown) => {
      this.#write(task, "error", logTextOf(error));
      return resultOfError(error, task.retryPolicy);
    });
    this.#running.delete(task.attemptId);
    this.#events.ended(task.attemptId, { result });
  }

  async #call(task: ClaimedTask, signal: AbortSignal) {
    const writer = (level: LogLine["level"]) => (message: string, fields?: Record<string, unknown>) =>
      this.#write(task, level, fields === undefined ? message : `${message} ${JSON.stringify(fields)}`);
    const log = { debug: writer("debug"), info: writer("info"), warn: writer("warn"), error: writer("error") };
    const { context, emitted } = buildContext(task, { log, signal, secrets: this.#secrets });
    const input = task.mapIndex >= 0 ? task.item : task.inputs;
    const stopped = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const returned = await Promise.race([this.#functionOf(task.dagId, task.taskId)(input, context), stopped]);
    return resultOf(task, returned, withDeclared(task, emitted));
  }

  #write(task: ClaimedTask, level: LogLine["level"], text: string): void {
    const at = new Date().toISOString();
    for (const part of text.split("\n")) this.#events.line(task.attemptId, { at, level, text: part }, 0);
  }
}
