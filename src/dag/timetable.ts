/** When a schedule by the clock makes runs, and for which interval. Pure: the time is always given. */
import { type CronExpression, nextTick, parseCron, previousTick } from "./cron.ts";
import type { ScheduleSpec } from "./spec.ts";

/** A schedule by the clock. */
export type ClockSchedule = Extract<ScheduleSpec, { kind: "cron" | "cronInterval" }>;

/** One run a timetable makes. */
export interface TimetableRun {
  readonly logicalDate: Date;
  readonly interval: { readonly start: Date; readonly end: Date };
  /** The run may be created from here on. */
  readonly runAfter: Date;
}

/** The first `count` runs from `from` on (inclusive; for cronInterval it bounds the first interval's start). */
export function listRuns(schedule: ClockSchedule, range: { from: Date; count: number }): TimetableRun[] {
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

/** The first run whose logical date is after `after` (exclusive), or null if the schedule never ticks again. */
export function nextRun(schedule: ClockSchedule, after: Date): TimetableRun | null {
  const cron = parseCron(schedule.expression);
  const start = nextTick(cron, schedule.timezone, after.getTime());
  return start === null ? null : runAt(schedule, cron, start);
}

/** The last run that may be created at `at` (its `runAfter` is not later), or null if there is none. */
export function latestRun(schedule: ClockSchedule, at: Date): TimetableRun | null {
  const cron = parseCron(schedule.expression);
  const tick = previousTick(cron, schedule.timezone, at.getTime());
  if (tick === null || schedule.kind === "cron") return tick === null ? null : runAt(schedule, cron, tick);
  const start = previousTick(cron, schedule.timezone, tick - 1);
  return start === null ? null : runAt(schedule, cron, start);
}

/** The interval of a run made by hand at `at`: the last complete one for cronInterval, the moment itself otherwise. */
export function manualInterval(schedule: ScheduleSpec | null, at: Date): { start: Date; end: Date } {
  const latest = schedule?.kind === "cronInterval" ? latestRun(schedule, at) : null;
  return latest === null ? { start: at, end: at } : latest.interval;
}

function runAt(schedule: ClockSchedule, cron: CronExpression, start: number): TimetableRun | null {
  const end = schedule.kind === "cron" ? start : nextTick(cron, schedule.timezone, start);
  if (end === null) return null;
  const logicalDate = new Date(start);
  const runAfter = new Date(end);
  return { logicalDate, interval: { start: logicalDate, end: runAfter }, runAfter };
}
