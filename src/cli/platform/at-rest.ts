/** `--once`: lets the platform load everything that is visible now, and waits until nothing is left to do. */
import { setTimeout as sleep } from "node:timers/promises";
import { QflowError } from "../../errors.ts";
import { tablesToSync } from "../../metadata/catalog.ts";
import { clearTasks } from "../../metadata/clear.ts";
import type { Database } from "../../metadata/database.ts";
import { createRun } from "../../metadata/runs.ts";
import { withRetry } from "../../metadata/transient.ts";
import {
  activeRuns,
  failedRuns,
  type NotableRun,
  type WaitingConsumer,
  waitingConsumers,
} from "../../metadata/views/activity-view.ts";
import { listTaskInstances, listXComs } from "../../metadata/views/task-views.ts";
import { planDatasetRuns } from "../../scheduler/index.ts";

/** The DAG that looks for new batches, and its task. */
export const ARRIVALS = { dagId: "qcompany_arrivals", taskId: "arrivals" } as const;

const POLL_MS = 500;
/** How long files that still change or lack a sibling are left alone before the server is looked at again. */
const LOOK_AGAIN_MS = 2_000;
const CATALOGUED_MS = 60_000;

/** How it ended. */
export interface Rest {
  /** Runs that failed. */
  readonly failed: NotableRun[];
}

/**
 * Asks for arrivals until every batch that is visible has been announced, and waits until all runs and all events they caused have
 * ended. `say` is told what is waited for. Throws TASK_FAILED when the server cannot be looked at.
 */
export async function untilAtRest(database: Database, say: (text: string) => void, signal: AbortSignal): Promise<Rest> {
  const announced = new Set<number>();
  for (;;) {
    const found = await lookForBatches(database, signal);
    const fresh = found.announced.filter((batch) => !announced.has(batch));
    for (const batch of fresh) announced.add(batch);
    if (fresh.length > 0) say(`Batches to load: ${fresh.join(", ")}`);
    await untilIdle(database, say, signal);
    const open = [...found.waiting, ...found.unstable];
    if (open.length > 0) {
      say(`Waiting for the rest of batch ${open.join(", ")}`);
      await sleep(LOOK_AGAIN_MS, undefined, { signal });
    } else if (fresh.length === 0) return { failed: await patiently(() => failedRuns(database, 0), signal) };
  }
}

/** Waits, a minute at most, until the API has looked up in the catalog what the runs have written. */
export async function untilCatalogued(database: Database, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + CATALOGUED_MS;
  while ((await tablesToSync(database)).length > 0 && performance.now() < deadline) {
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** Runs that failed in an earlier start are tried again from where they failed. Returns how many there were. */
export async function retryFailedRuns(database: Database): Promise<number> {
  const failed = await failedRuns(database, 0);
  for (const { dagId, runId } of failed) {
    await clearTasks(database, { dagId, runId, states: ["failed", "upstream_failed"], relatives: "none" });
  }
  return failed.length;
}

const ONE = { limit: 1, offset: 0, orderBy: [] };
/** With growing pauses of up to 5 s: more than a minute, in which a killed database is back. */
const TRIES = 30;

/** A database that goes away while we wait comes back: waiting goes on. */
function patiently<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  return withRetry(work, { tries: TRIES, signal });
}

interface Arrivals {
  announced: number[];
  waiting: number[];
  unstable: number[];
}

async function lookForBatches(database: Database, signal: AbortSignal): Promise<Arrivals> {
  const { dagId, runId } = await patiently(() => createRun(database, { dagId: ARRIVALS.dagId, by: "start" }), signal);
  const key = { dagId, runId, taskId: ARRIVALS.taskId, mapIndex: -1 };
  for (;;) {
    const [task] = (await patiently(() => listTaskInstances(database, key, ONE), signal)).rows;
    if (task?.state === "success") break;
    if (task && ["failed", "upstream_failed", "skipped"].includes(task.state)) {
      throw new QflowError("TASK_FAILED", `the feed could not be looked at: ${task.error?.message ?? task.state}`, {
        remedy: `npx qflow tasks logs ${dagId} ${runId} ${ARRIVALS.taskId}`,
      });
    }
    await sleep(POLL_MS, undefined, { signal });
  }
  const [xcom] = (await patiently(() => listXComs(database, key, ONE), signal)).rows;
  return xcom?.value as unknown as Arrivals;
}

async function untilIdle(database: Database, say: (text: string) => void, signal: AbortSignal): Promise<void> {
  let before = "";
  for (;;) {
    const runs = await patiently(() => activeRuns(database), signal);
    const consumers = await patiently(() => waitingConsumers(database), signal);
    const due = consumers.filter(isDue);
    if (runs.length === 0 && due.length === 0) return;
    const now = runs.filter((run) => run.state === "running").map((run) => `${run.dagId} ${run.runId}`);
    const text = now.join(", ");
    if (text !== before && text !== "") say(`Running: ${text}`);
    before = text;
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** Whether the events that wait are enough for a run. */
function isDue({ schedule, datasets, ready }: WaitingConsumer): boolean {
  if (schedule.kind !== "datasets") return false;
  const { condition, consume } = schedule;
  // Events after the cursors have not been put to their partitions yet.
  if (consume === "partition") return ready || datasets.length > 0;
  const waiting = datasets.map((dataset, id) => ({ id, dataset, extra: null }));
  return planDatasetRuns({ condition, consume }, waiting, 1).length > 0;
}
