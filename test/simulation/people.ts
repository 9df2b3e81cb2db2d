/** The people of a simulation: one who makes runs and meddles with them, one who answers what tasks ask. */
import { setTimeout as sleep } from "node:timers/promises";
import { QflowError } from "../../src/errors.ts";
import { answerApproval, listApprovals } from "../../src/metadata/approvals.ts";
import { cancelBackfill, createBackfill, pauseBackfill, resumeBackfill } from "../../src/metadata/backfills.ts";
import { clearTasks } from "../../src/metadata/clear.ts";
import type { Database } from "../../src/metadata/database.ts";
import { cancelTask, MARKED_STATES, markRun, markTasks } from "../../src/metadata/mark.ts";
import { cancelRun, createRun, pauseDag, unpauseDag } from "../../src/metadata/runs.ts";
import { isTransient } from "../../src/metadata/transient.ts";
import { type Cast, type Role, role } from "./actors.ts";

const MINUTE = 60_000;

/** Somebody who makes runs and backfills and meddles with them; at the end nothing is paused. */
export function person(cast: Cast, name: string, deeds: number): Role {
  return role(cast, name, null, async (database) => {
    for (let i = 0; i < deeds; i++) {
      // Some runs first, at once; then whatever comes to mind.
      await refusable(cast, name, () => deed(cast, database, i < 2));
      if (i > 0) await sleep(cast.random.int(8_000));
    }
    for (const dagId of cast.workload.pieces.keys()) await untilDone(() => unpauseDag(database, dagId));
    const paused = await untilDone(() => openBackfillIds(database));
    for (const id of paused) await refusable(cast, name, () => untilDone(() => resumeBackfill(database, id)));
  });
}

/** Somebody who sends the messages that start a DAG. */
export function publisher(cast: Cast, name: string): Role {
  return role(cast, name, null, async () => cast.workload.topic?.publish());
}

/** Somebody who answers every question, as the workload says. */
export function approver(cast: Cast, name: string): Role {
  return role(cast, name, null, async (database) => {
    for (;;) {
      await refusable(cast, name, () => answerAll(cast, database, name));
      await sleep(3_000 + cast.random.int(5_000));
    }
  });
}

async function answerAll({ workload }: Cast, database: Database, by: string): Promise<void> {
  const { rows } = await listApprovals(database, { waiting: "yes" }, { limit: 10, offset: 0, orderBy: [] });
  for (const { dag_id: dagId, run_id: runId, task_id: taskId, map_index: mapIndex } of rows) {
    const behaviour = workload.pieces.get(dagId)?.behaviours.get(taskId);
    if (behaviour?.kind !== "answer") throw new Error(`task ${taskId} of ${dagId} asks for nothing`);
    const answer = { chosen: behaviour.chosen, by, role: "admin" as const, note: null };
    await answerApproval(database, { dagId, runId, taskId, mapIndex }, answer);
  }
}

/** Refusals and lost answers are part of life, everything else is wrong. */
async function refusable(cast: Cast, name: string, work: () => Promise<unknown>): Promise<void> {
  await work().catch((error: unknown) => {
    if (!(error instanceof QflowError) && !isTransient(error)) cast.wrong(`${name}: ${String(error)}`);
  });
}

async function deed(cast: Cast, database: Database, isFirst: boolean): Promise<unknown> {
  const { random, workload } = cast;
  // Runs of a follower need a logical date.
  const dagId = random.pick([...workload.pieces.keys()].filter((id) => id !== "follower"));
  const runId = `r${random.int(3)}`;
  const choice = isFirst ? 0 : random.next();
  if (choice < 0.35) return createRun(database, { dagId, runId, by: "person" });
  if (choice < 0.5)
    return clearTasks(database, { dagId, runId, ...(random.chance(0.5) ? { states: ["failed"] } : {}) });
  if (choice < 0.6) return clearTasks(database, { dagId, runId, tasks: [{ taskId: anyTask(cast, dagId) }] });
  if (choice < 0.68) return cancel(cast, database, { dagId, runId });
  if (choice < 0.73) return cancelOne(cast, database, { dagId, runId });
  if (choice < 0.8) return declare(cast, database, { dagId, runId });
  if (choice < 0.88 && hasBackfills(cast)) return backfill(cast, database);
  if (choice < 0.94) return pauseDag(database, dagId);
  return unpauseDag(database, dagId);
}

function anyTask({ random, workload }: Cast, dagId: string): string {
  return random.pick(workload.pieces.get(dagId)?.spec.tasks ?? []).taskId;
}

interface RunName {
  readonly dagId: string;
  readonly runId: string;
}

async function cancel({ workload }: Cast, database: Database, { dagId, runId }: RunName): Promise<unknown> {
  const run = `${dagId}/${runId}`;
  workload.cancels.set(run, (workload.cancels.get(run) ?? 0) + 1);
  return cancelRun(database, dagId, runId);
}

async function cancelOne(cast: Cast, database: Database, run: RunName): Promise<unknown> {
  cast.workload.meddledWith.add(`${run.dagId}/${run.runId}`);
  return cancelTask(database, run, { taskId: anyTask(cast, run.dagId) });
}

/** How it ends is not what the workload says from here on. */
async function declare(cast: Cast, database: Database, run: RunName): Promise<void> {
  const { random, workload } = cast;
  const tasks = [{ taskId: anyTask(cast, run.dagId) }];
  workload.declared.add(`${run.dagId}/${run.runId}`);
  if (random.chance(0.6)) await markTasks(database, { ...run, tasks, state: random.pick(MARKED_STATES) });
  else await markRun(database, run, random.pick(["success", "failed"] as const));
}

/** A follower of a DAG would see the runs of its backfills, also those that are cancelled. */
function hasBackfills({ workload }: Cast): boolean {
  return workload.pieces.has("clock") && !workload.pieces.has("follower");
}

async function backfill({ random, workload }: Cast, database: Database): Promise<unknown> {
  const open = await openBackfillIds(database);
  const choice = random.next();
  if (open.length > 0 && choice < 0.6) {
    const id = random.pick(open);
    return random.pick([pauseBackfill, resumeBackfill, cancelBackfill])(database, id);
  }
  const start = Date.parse(workload.pieces.get("clock")?.spec.start ?? "");
  const from = new Date(start + random.int(4) * MINUTE);
  return createBackfill(database, {
    dagId: "clock",
    range: { from, to: new Date(from.getTime() + random.int(5) * MINUTE) },
    reprocess: random.pick(["missing", "failed", "all"]),
    order: random.pick(["forward", "backward"]),
    maxActiveRuns: 1 + random.int(2),
    by: "person",
  });
}

async function openBackfillIds(database: Database): Promise<number[]> {
  const found = await database.query<{ id: number }>(
    "select id::float8 as id from backfill where completed_at is null order by id",
  );
  return found.rows.map(({ id }) => id);
}

async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error)) throw error;
      await sleep(500);
    }
  }
}
