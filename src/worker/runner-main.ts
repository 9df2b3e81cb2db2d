/**
 * The process that runs task functions: one attempt at a time, reused. It leads its own process group; when its worker is
 * gone (IPC closed) it ends with everything it started.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { flushCompileCache } from "node:module";
import { loadTasks } from "../dag/load-tasks.ts";
import type { TaskContext } from "../dag/operator.ts";
import type { ClaimedTask } from "../metadata/work.ts";
import { AttemptStopped } from "../operators/attempt-stopped.ts";
import { outliveReaders } from "../processes/closed-output.ts";
import { type ChildLog, captureConsole, createChildLog } from "./child-log.ts";
import type { FromChild, RunnerInit, StopReason, ToChild } from "./protocol.ts";
import type { Secrets } from "./secret-store.ts";
import { buildContext } from "./task-context.ts";
import { logTextOf, resultOf, resultOfError, withDeclared } from "./task-result.ts";

/** After its worker is gone the task has this long to notice the aborted signal. */
const ORPHAN_GRACE_MS = 2000;

interface Running {
  task: ClaimedTask;
  abort: AbortController;
}

let log: ChildLog;
let secrets: Secrets;
let running: Running | null = null;
/** Whether something of an earlier attempt still goes on here. */
let tainted = false;
/** The attempt that the code which runs now was started by. */
const current = new AsyncLocalStorage<Running>();

function send(message: FromChild): void {
  if (process.connected) process.send?.(message);
}

/** Ends the attempt once; whatever comes later from the same attempt is ignored. */
function finish(from: Running, ended: { result: ReturnType<typeof resultOfError>; unsound?: true }): void {
  if (running !== from) return;
  running = null;
  log.end(from.task.attemptId);
  send({ type: "done", attemptId: from.task.attemptId, ...ended, ...(tainted ? { unsound: true } : {}) });
}

async function run(task: ClaimedTask, bundlePath: string | null): Promise<void> {
  const mine: Running = { task, abort: new AbortController() };
  running = mine;
  process.env.QFLOW_ATTEMPT = task.token;
  await current.run(mine, () => execute(mine, bundlePath));
}

async function execute(mine: Running, bundlePath: string | null): Promise<void> {
  const { task } = mine;
  try {
    if (bundlePath === null) throw new Error("a runner was given a task without a bundle");
    const functionOf = await loadTasks(bundlePath);
    const taskLog = log.of(task.attemptId);
    const { context, emitted } = buildContext(task, { log: taskLog, signal: mine.abort.signal, secrets });
    const input = task.mapIndex >= 0 ? task.item : task.inputs;
    const fn = functionOf(task.dagId, task.taskId) as (input: unknown, context: TaskContext) => unknown;
    const returned = await fn(input, context);
    finish(mine, { result: resultOf(task, returned, withDeclared(task, emitted)) });
  } catch (error) {
    fail(mine, error);
  }
}

function fail(from: Running, error: unknown, unsound?: true): void {
  const result = resultOfError(error, from.task.retryPolicy);
  if (result.state === "skipped") log.write(from.task.attemptId, "info", `skipped: ${result.reason}`);
  else if (running === from) log.write(from.task.attemptId, "error", logTextOf(error));
  finish(from, unsound ? { result, unsound } : { result });
}

/**
 * An error nobody awaited belongs to the attempt that started what threw it. That of an earlier attempt must not fail the one
 * that runs now; but the process is not to be trusted any longer.
 */
function onStray(error: unknown): void {
  const owner = current.getStore() ?? running;
  if (owner !== null && owner === running) fail(owner, error, true);
  else {
    tainted = true;
    // Ending itself here could hit an attempt that is already on its way: the worker decides.
    if (running === null) send({ type: "unsound" });
  }
}

function stop(attemptId: string, reason: StopReason): void {
  if (running?.task.attemptId !== attemptId) return;
  running.abort.abort(new AttemptStopped(reason));
}

function onMessage(message: ToChild<RunnerInit>): void {
  if (message.type === "init") {
    log = createChildLog(message.nonce);
    captureConsole(log, { debug: "debug", warn: "warn", error: "error" }, () => running?.task.attemptId ?? null);
    send({ type: "ready" });
    setImmediate(flushCompileCache);
  } else if (message.type === "secrets") secrets = message.secrets;
  else if (message.type === "prepare") {
    // A bundle that cannot be loaded fails the task that needs it, with its log.
    loadTasks(message.bundlePath).then(
      () => send({ type: "prepared" }),
      () => send({ type: "prepared" }),
    );
  } else if (message.type === "run") void run(message.task, message.bundlePath);
  else if (message.type === "stop") stop(message.attemptId, message.reason);
}

/** The worker is gone, however it died: nobody will take a result. */
function onOrphaned(): void {
  running?.abort.abort(new AttemptStopped("orphaned"));
  setTimeout(() => process.kill(-process.pid, "SIGKILL"), running ? ORPHAN_GRACE_MS : 0);
}

// Whoever read our output may be gone: that must not become a stray error, which is told on the same stream, and so on for ever.
outliveReaders();
process.on("uncaughtException", onStray);
process.on("unhandledRejection", onStray);
process.on("disconnect", onOrphaned);
process.on("message", onMessage);
