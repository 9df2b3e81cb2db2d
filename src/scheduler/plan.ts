/** Which tick of a clock schedule gets a run now. Pure: the time is given. */
import type { Catchup } from "../dag/spec.ts";
import {
  type ClockSchedule,
  isPeriodic,
  latestRun,
  nextRun,
  type PeriodicSchedule,
  runOf,
  type TimetableRun,
} from "../dag/timetable.ts";

/** What is known about a DAG when it is looked at. */
export interface Timing {
  readonly schedule: ClockSchedule;
  readonly start: Date;
  readonly end: Date | null;
  readonly catchup: Catchup;
  /** Ticks up to here (logical date) are settled. */
  readonly settledUntil: Date | null;
  /** How the newest scheduled runs went. */
  readonly recent: RecentRuns;
  readonly now: Date;
}

/** How the newest scheduled runs of a DAG went; of interest where one run follows another. */
export interface RecentRuns {
  /** When the newest one started. */
  readonly startedAt: Date | null;
  /** How many of them failed in a row, the newest first. */
  readonly failures: number;
}

/** What follows. */
export interface Plan {
  readonly run: TimetableRun | null;
  /** Due ticks that get no run by the catchup policy; counted up to {@link SKIP_COUNT_LIMIT}. */
  readonly skipped: number;
  readonly settledUntil: Date | null;
  readonly next: TimetableRun | null;
}

/** With catchup none, a tick this much later than due was missed. In milliseconds. */
export const MISSED_AFTER_MS = 60_000;
/** More skipped ticks are not counted. */
export const SKIP_COUNT_LIMIT = 1_000;
/** Longest time between the starts of continuous runs that fail, in milliseconds. */
export const LONGEST_BACKOFF_MS = 300_000;

/** The next tick that is not settled. */
export function nextTick(timing: Timing): TimetableRun | null {
  const { schedule, start, settledUntil } = timing;
  if (isPeriodic(schedule)) return after(timing, schedule, settledUntil ?? new Date(start.getTime() - 1));
  if (schedule.kind === "once")
    return settledUntil !== null && settledUntil >= start ? null : within(timing, runOf(start));
  return within(timing, runOf(latest(start, readyAt(timing, schedule.spacingMs))));
}

/**
 * Decides about the due ticks: with `all` the oldest gets a run, with `latest` the newest, with `none` the newest if it
 * has only just come; the ticks before the chosen one are settled with it.
 */
export function plan(timing: Timing): Plan {
  const first = nextTick(timing);
  const { schedule, now } = timing;
  if (first === null || first.runAfter > now) {
    return { run: null, skipped: 0, settledUntil: timing.settledUntil, next: first };
  }
  if (schedule.kind === "once") return { run: first, skipped: 0, settledUntil: now, next: null };
  if (schedule.kind === "continuous") return continued(timing, schedule.spacingMs);
  if (timing.catchup === "all") return settled(timing, schedule, first, { run: first, skipped: 0 });
  const { last, before } = lastDue(timing, schedule, first);
  const missed = timing.catchup === "none" && now.getTime() - last.runAfter.getTime() > MISSED_AFTER_MS;
  return settled(timing, schedule, last, missed ? { run: null, skipped: before + 1 } : { run: last, skipped: before });
}

/** A run of the time since the one before. What comes after it is due again as soon as it has ended. */
function continued(timing: Timing, spacingMs: number): Plan {
  const { now, start, settledUntil } = timing;
  const run = within(timing, runOf(now, settledUntil ?? start));
  if (run === null) return { run, skipped: 0, settledUntil, next: null };
  return { run, skipped: 0, settledUntil: now, next: within(timing, runOf(new Date(now.getTime() + spacingMs))) };
}

/** When the next continuous run may start: runs that fail at once must not fill the history. */
function readyAt({ recent, now }: Timing, spacingMs: number): Date {
  if (recent.startedAt === null) return now;
  const backoff = recent.failures === 0 ? 0 : Math.min(1000 * 2 ** recent.failures, LONGEST_BACKOFF_MS);
  return latest(now, new Date(recent.startedAt.getTime() + Math.max(spacingMs, backoff)));
}

function latest(one: Date, other: Date): Date {
  return one > other ? one : other;
}

function settled(
  timing: Timing,
  schedule: PeriodicSchedule,
  tick: TimetableRun,
  outcome: Pick<Plan, "run" | "skipped">,
): Plan {
  return { ...outcome, settledUntil: tick.logicalDate, next: after(timing, schedule, tick.logicalDate) };
}

function after(timing: Timing, schedule: PeriodicSchedule, instant: Date): TimetableRun | null {
  return within(timing, nextRun(schedule, instant));
}

function within({ end }: Timing, run: TimetableRun | null): TimetableRun | null {
  return run === null || (end !== null && run.logicalDate > end) ? null : run;
}

/** The newest due tick, and how many due ones are before it from `first` on. */
function lastDue(
  timing: Timing,
  schedule: PeriodicSchedule,
  first: TimetableRun,
): { last: TimetableRun; before: number } {
  const newest = latestRun(schedule, timing.now) ?? first;
  let last = first;
  let before = 0;
  for (; last.logicalDate < newest.logicalDate && before < SKIP_COUNT_LIMIT; before++) {
    const following = after(timing, schedule, last.logicalDate);
    if (following === null) return { last, before };
    last = following;
  }
  const beyondEnd = timing.end !== null && newest.logicalDate > timing.end;
  return { last: beyondEnd ? last : newest, before };
}
