/** What un-pausing a DAG would do. Changes nothing. */
import { datasetsIn } from "../dag/datasets.ts";
import type { MessageSchedule, ScheduleSpec } from "../dag/spec.ts";
import type { TimetableRun } from "../dag/timetable.ts";
import type { Sql } from "../metadata/database.ts";
import { waitingEvents } from "../metadata/dataset-runs.ts";
import { readDueDags } from "../metadata/due-dags.ts";
import { waitingMessages } from "../metadata/message-inbox.ts";
import { partitionsAhead } from "../metadata/partition-runs.ts";
import { countQueuedRuns } from "../metadata/runs.ts";
import { getDag } from "../metadata/views/dag-views.ts";
import { holds, planDatasetRuns } from "./dataset-plan.ts";
import { comingRuns, dueRuns } from "./forecast.ts";
import { timingOf } from "./timing.ts";

/** What un-pausing a DAG would do. */
export interface UnpausePreview {
  readonly dagId: string;
  readonly paused: boolean;
  /** Runs that are there, queued, and would start. */
  readonly queued: number;
  /** How many runs would be made of what is due; at most so many at once as max_active_runs allows. */
  readonly created: number;
  /** The first of them, where a clock makes them. */
  readonly runs: readonly TimetableRun[];
  /** Due ticks that would get no run. */
  readonly skipped: number;
  /** The run after those, or null. */
  readonly next: TimetableRun | null;
}

/** Runs that are listed one by one. */
const LISTED = 10;
/** Runs of dataset events are counted up to here. */
const MOST = 1_000;

/** What un-pausing the DAG would do now. Throws NOT_FOUND. */
export async function previewUnpause(sql: Sql, dagId: string): Promise<UnpausePreview> {
  const { paused, schedule } = await getDag(sql, dagId);
  const queued = await countQueuedRuns(sql, dagId);
  const nothing = { dagId, paused, queued, created: 0, runs: [], skipped: 0, next: null };
  if (schedule?.kind === "datasets") return { ...nothing, created: await eventRuns(sql, dagId, schedule) };
  if (schedule?.kind === "messages") return { ...nothing, created: await messageRuns(sql, dagId, schedule) };
  const [dag] = await readDueDags(sql, [dagId]);
  if (dag === undefined) return nothing;
  const timing = timingOf(dag);
  const { runs, total, skipped } = dueRuns(timing, LISTED);
  return { ...nothing, created: total, runs, skipped, next: comingRuns(timing, 1)[0] ?? null };
}

async function messageRuns(sql: Sql, dagId: string, { window }: MessageSchedule): Promise<number> {
  const { length } = await waitingMessages(sql, dagId, MOST);
  return window === null ? length : Math.ceil(length / window.messages);
}

async function eventRuns(
  sql: Sql,
  dagId: string,
  schedule: Extract<ScheduleSpec, { kind: "datasets" }>,
): Promise<number> {
  const { condition, consume } = schedule;
  if (consume !== "partition") {
    return planDatasetRuns({ condition, consume }, await waitingEvents(sql, dagId), MOST).length;
  }
  const partitions = await partitionsAhead(sql, dagId, datasetsIn(condition));
  return partitions.filter(({ datasets }) => holds(condition, new Set(datasets))).length;
}
