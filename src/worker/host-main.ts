/**
 * The process in which all operators of a worker wait. It also ends what the worker leaves: when the worker is gone it
 * gives its operators a moment to stop their outside work, then ends every process that carries the worker's marker.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { flushCompileCache } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { resolveTokens } from "../dag/tokens.ts";
import { type Database, openDatabase } from "../metadata/database.ts";
import type { ClaimedTask } from "../metadata/work.ts";
import { AttemptStopped } from "../operators/attempt-stopped.ts";
import { announcesItself, loadOperator } from "../operators/registry.ts";
import { holdsDrivers, prewarmSpark } from "../operators/spark/warm-pool.ts";
import { outliveReaders } from "../processes/closed-output.ts";
import { WORKER_MARKER } from "../processes/markers.ts";
import { type ChildLog, captureConsole, createChildLog } from "./child-log.ts";
import { buildOperatorContext } from "./operator-context.ts";
import type { FromChild, HostInit, StopReason, TaskResult, ToChild } from "./protocol.ts";
import type { Secrets } from "./secret-store.ts";
import { sweepMarked } from "./sweep.ts";
import { logTextOf, resultOf, resultOfError, withDeclared } from "./task-result.ts";

/** Connections to qflow's database that all operators share. */
const DATABASE_LIMITS = { max: 4, statementMs: 30_000, lockMs: 5_000 };
/** Time for operators to stop their outside work when the worker is gone. */
const ORPHAN_GRACE_MS = 3000;

/** Between TERM and KILL of all the worker's processes. */
const ORPHAN_TERM_MS = 1000;

let init: HostInit;
let secrets: Secrets;
let log: ChildLog;
let database: Database;
const running = new Map<string, AbortController>();
const attempt = new AsyncLocalStorage<string>();

function send(message: FromChild): void {
  if (process.connected) process.send?.(message);
}

async function run(task: ClaimedTask): Promise<void> {
  const abort = new AbortController();
  running.set(task.attemptId, abort);
  const result = await attempt
    .run(task.attemptId, () => execute(task, abort.signal))
    .catch((error: unknown) => {
      const failed = resultOfError(error, task.retryPolicy);
      const text = failed.state === "skipped" ? `skipped: ${failed.reason}` : logTextOf(error);
      log.write(task.attemptId, failed.state === "skipped" ? "info" : "error", text);
      return failed;
    });
  running.delete(task.attemptId);
  log.end(task.attemptId);
  send({ type: "done", attemptId: task.attemptId, result });
}

async function execute(task: ClaimedTask, signal: AbortSignal): Promise<TaskResult> {
  if (task.operator === null) throw new Error(`task ${task.taskId} has no operator`);
  const operator = await loadOperator(task.operator.name);
  const config = resolveTokens(task.operator.config, {
    params: task.params,
    outputs: task.outputs,
    ...(task.mapIndex >= 0 ? { item: task.item } : {}),
    run: {
      runId: task.runId,
      dagId: task.dagId,
      logicalDate: task.logicalDate,
      intervalStart: task.interval?.start ?? null,
      intervalEnd: task.interval?.end ?? null,
      partition: task.partition,
    },
  });
  const { context, emitted } = buildOperatorContext(task, {
    log: log.of(task.attemptId),
    signal,
    secrets,
    config: init.config,
    database,
  });
  const returned = await operator(config, context);
  return resultOf(task, returned, announcesItself(task.operator.name) ? emitted : withDeclared(task, emitted));
}

function stop(attemptId: string, reason: StopReason): void {
  running.get(attemptId)?.abort(new AttemptStopped(reason));
}

function onMessage(message: ToChild<HostInit>): void {
  if (message.type === "init") {
    init = message;
    log = createChildLog(message.nonce);
    database = openDatabase(message.databaseUrl, { ...DATABASE_LIMITS, applicationName: "qflow-host" });
    const current = () => attempt.getStore() ?? null;
    captureConsole(log, { log: "stdout", info: "stdout", debug: "debug", warn: "warn", error: "error" }, current);
    send({ type: "ready" });
    setImmediate(flushCompileCache);
    // The first application that needs it would meet the same failure, and tell it in its log.
    if (message.config.sparkStart === "eager") prewarmSpark(message.config).catch(() => {});
  } else if (message.type === "secrets") secrets = message.secrets;
  else if (message.type === "run") void run(message.task);
  else if (message.type === "stop") stop(message.attemptId, message.reason);
  else if (message.type === "rest" && running.size === 0 && !holdsDrivers(init.config)) send({ type: "idle" });
}

async function onOrphaned(): Promise<void> {
  for (const abort of running.values()) abort.abort(new AttemptStopped("orphaned"));
  for (let waited = 0; waited < ORPHAN_GRACE_MS && running.size > 0; waited += 100) await sleep(100);
  const worker = process.env[WORKER_MARKER];
  if (worker !== undefined) await sweepMarked(WORKER_MARKER, worker, ORPHAN_TERM_MS);
  process.kill(-process.pid, "SIGKILL");
}

/** A stray error of one operator must not end the others; where it can be told whose it is, its log has it. */
function onStray(error: unknown): void {
  const owner = attempt.getStore();
  if (owner === undefined) console.error(`stray error: ${logTextOf(error)}`);
  else log.write(owner, "error", `stray error: ${logTextOf(error)}`);
}

// Whoever read our output may be gone: that must not become a stray error, which is told on the same stream, and so on for ever.
outliveReaders();
process.on("uncaughtException", onStray);
process.on("unhandledRejection", onStray);
process.on("disconnect", () => void onOrphaned());
process.on("message", onMessage);
// The worker may have gone before there was anybody to hear of it.
if (!process.connected) void onOrphaned();
