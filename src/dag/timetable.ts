/** When a schedule by the clock makes runs, and for which interval. Pure: the time is always given. */
import type { ScheduleSpec } from "./spec.ts";
import { type PeriodicSchedule, type Ticks, ticksOf } from "./ticks.ts";

export type { PeriodicSchedule } from "./ticks.ts";

/** A schedule by the clock. */
export type ClockSchedule = Exclude<ScheduleSpec, { kind: "datasets" | "messages" }>;

/** Whether a clock makes the schedule's runs, and not what happens elsewhere. */
export function isByClock(schedule: ScheduleSpec): schedule is ClockSchedule {
  return schedule.kind !== "datasets" && schedule.kind !== "messages";
}

/** One run a timetable makes. */
export interface TimetableRun {
  readonly logicalDate: Date;
  readonly interval: { readonly start: Date; readonly end: Date };
  /** The run may be created from here on. */
  readonly runAfter: Date;
}

/**
 * The first `count` runs from `from` on (inclusive; for cronInterval it bounds the first interval's start). Of `once` and
 * `continuous` only the first is known.
 */
export function listRuns(schedule: ClockSchedule, range: { from: Date; count: number }): TimetableRun[] {
  if (!isPeriodic(schedule)) return range.count > 0 ? [runOf(range.from)] : [];
  const runs: TimetableRun[] = [];
  let after = new Date(range.from.getTime() - 1);
  while (runs.length < range.count) {
    const run = nextRun(schedule, after);
    if (run === null) break;
    runs.push(run);
    after = run.logicalDate;
  }
  return runs;
}

/** Whether the schedule ticks by itself, whatever became of its runs. */
export function isPeriodic(schedule: ScheduleSpec): schedule is PeriodicSchedule {
  return schedule.kind === "cron" || schedule.kind === "cronInterval" || schedule.kind === "every";
}

/** The first run whose logical date is after `after` (exclusive), or null if the schedule never ticks again. */
export function nextRun(schedule: PeriodicSchedule, after: Date): TimetableRun | null {
  const ticks = ticksOf(schedule);
  const start = ticks.next(after.getTime());
  return start === null ? null : runAt(schedule, ticks, start);
}

/** The last run that may be created at `at` (its `runAfter` is not later), or null if there is none. */
export function latestRun(schedule: PeriodicSchedule, at: Date): TimetableRun | null {
  const ticks = ticksOf(schedule);
  const tick = ticks.last(at.getTime());
  if (tick === null || schedule.kind !== "cronInterval") return tick === null ? null : runAt(schedule, ticks, tick);
  const start = ticks.last(tick - 1);
  return start === null ? null : runAt(schedule, ticks, start);
}

/** The interval of a run made by hand at `at`: the last complete one for cronInterval, the moment itself otherwise. */
export function manualInterval(schedule: ScheduleSpec | null, at: Date): { start: Date; end: Date } {
  const latest = schedule?.kind === "cronInterval" ? latestRun(schedule, at) : null;
  return latest === null ? { start: at, end: at } : latest.interval;
}

/** A run of one moment, or (with `since`) of the time up to it. */
export function runOf(moment: Date, since: Date = moment): TimetableRun {
  return { logicalDate: moment, interval: { start: since, end: moment }, runAfter: moment };
}

function runAt(schedule: PeriodicSchedule, ticks: Ticks, start: number): TimetableRun | null {
  if (schedule.kind !== "cronInterval") return runOf(new Date(start));
  const end = ticks.next(start);
  if (end === null) return null;
  const logicalDate = new Date(start);
  const runAfter = new Date(end);
  return { logicalDate, interval: { start: logicalDate, end: runAfter }, runAfter };
}
