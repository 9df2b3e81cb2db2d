/** Declaring how task instances and runs ended, and ending single tasks. */
import { QflowError } from "../errors.ts";
import { type AffectedInstance, affectedInstances, type InstanceChoice, isSameSet, type TaskPick } from "./affected.ts";
import type { Database, Sql } from "./database.ts";
import { joined } from "./joined.ts";
import { cancelRun, runKey } from "./runs.ts";
import { TASK_STATES, type TaskState } from "./task-states.ts";
import { wakeWith } from "./wake.ts";

/** How somebody may declare that an instance ended. */
export const MARKED_STATES = ["success", "failed", "skipped"] as const;
/** One of {@link MARKED_STATES}. */
export type MarkedState = (typeof MARKED_STATES)[number];

/** Which instances are declared to have ended how. */
export interface MarkRequest extends InstanceChoice {
  readonly state: MarkedState;
}

/** What {@link markTasks} would change; changes nothing. Throws NOT_FOUND. */
export async function previewMark(sql: Sql, request: MarkRequest): Promise<AffectedInstance[]> {
  return toMark(sql, await runKey(sql, request.dagId, request.runId), request);
}

/**
 * Declares how instances ended, whatever they are at: a running try is fenced, so that its late outcome changes nothing, and its
 * worker ends it. Downstream that failed is decided again; the run goes on, or ends. Throws NOT_FOUND, CONFLICT (the run changed
 * meanwhile).
 */
export async function markTasks(database: Database, request: MarkRequest): Promise<AffectedInstance[]> {
  return database.transaction(async (sql) => {
    const key = await runKey(sql, request.dagId, request.runId);
    const before = await toMark(sql, key, request);
    await sql.query("select lock_run($1)", [key]);
    const affected = await toMark(sql, key, request);
    if (!isSameSet(before, affected)) {
      throw new QflowError("CONFLICT", `run ${request.runId} of DAG ${request.dagId} changed while it was looked at`);
    }
    if (affected.length > 0) await mark(sql, key, affected, request.state);
    return affected;
  });
}

async function mark(sql: Sql, key: number, affected: readonly AffectedInstance[], state: MarkedState): Promise<void> {
  const ids = affected.map(({ id }) => id);
  await sql.query("select mark_instances($1, $2, $3, $4)", [key, ids, state, `marked ${state}`]);
  await wakeBoth(sql);
}

/** Workers hear of what they are to end, and of what became ready; the scheduler of a run that ended. */
async function wakeBoth(sql: Sql): Promise<void> {
  await wakeWith(sql, "qflow_work");
  await wakeWith(sql, "qflow_scheduler");
}

function toMark(sql: Sql, key: number, request: MarkRequest): Promise<AffectedInstance[]> {
  const considered = TASK_STATES.filter((state) => state !== request.state && state !== "removed");
  return affectedInstances(sql, key, request, considered);
}

const UNFINISHED: readonly TaskState[] = TASK_STATES.filter(
  (state) => state !== "success" && state !== "skipped" && state !== "removed",
);

/**
 * Declares how a run ended. `success`: what failed or has not ended is marked success first. `failed`: a run that goes on is
 * cancelled, an ended one is called failed and its instances stay. Throws NOT_FOUND, CONFLICT.
 */
export async function markRun(
  database: Database,
  run: { readonly dagId: string; readonly runId: string },
  state: "success" | "failed",
): Promise<void> {
  await database.transaction(async (sql) => {
    const key = await runKey(sql, run.dagId, run.runId);
    await sql.query("select lock_run($1)", [key]);
    const found = await sql.query<{ over: boolean }>(
      "select state in ('success', 'failed') as over from dag_run where id = $1",
      [key],
    );
    if (state === "failed" && !found.rows[0]?.over) {
      await cancelRun(joined(database, sql), run.dagId, run.runId);
      return;
    }
    if (state === "success") {
      const affected = await affectedInstances(sql, key, {}, UNFINISHED);
      if (affected.length > 0) await mark(sql, key, affected, "success");
    }
    await sql.query("select mark_run($1, $2)", [key, state]);
  });
}

/**
 * Ends one task, or one of its mapped instances: a running try is told to end and fails when it has; what waits fails at once.
 * Returns how many tries are told. Throws NOT_FOUND, CONFLICT (it has ended).
 */
export async function cancelTask(
  database: Database,
  run: { readonly dagId: string; readonly runId: string },
  task: TaskPick,
): Promise<{ running: number }> {
  return database.transaction(async (sql) => {
    const key = await runKey(sql, run.dagId, run.runId);
    await sql.query("select lock_run($1)", [key]);
    const live = await affectedInstances(sql, key, { tasks: [task] }, LIVE);
    if (live.length === 0) throw new QflowError("CONFLICT", `task ${task.taskId} of run ${run.runId} has ended`);
    const ids = live.map(({ id }) => id);
    const revoked = await sql.query<{ n: number }>("select revoke_instances($1, $2) as n", [key, ids]);
    // Claims apart, nothing moves under the run's lock; and what was claimed meanwhile is revoked by now.
    const waiting = (await affectedInstances(sql, key, { tasks: [task] }, LIVE)).filter(
      ({ state }) => state !== "running",
    );
    if (waiting.length > 0) {
      await sql.query("select mark_instances($1, $2, 'failed', 'cancelled')", [key, waiting.map(({ id }) => id)]);
    }
    await wakeBoth(sql);
    return { running: revoked.rows[0]?.n ?? 0 };
  });
}

const LIVE: readonly TaskState[] = UNFINISHED.filter((state) => state !== "failed" && state !== "upstream_failed");
