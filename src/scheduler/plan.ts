/** Which tick of a clock schedule gets a run now. Pure: the time is given. */
import type { Catchup } from "../dag/spec.ts";
import { type ClockSchedule, latestRun, nextRun, type TimetableRun } from "../dag/timetable.ts";

/** What is known about a DAG when it is looked at. */
export interface Timing {
  readonly schedule: ClockSchedule;
  readonly start: Date;
  readonly end: Date | null;
  readonly catchup: Catchup;
  /** Ticks up to here (logical date) are settled. */
  readonly settledUntil: Date | null;
  readonly now: Date;
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

/** The next tick that is not settled. */
export function nextTick(timing: Timing): TimetableRun | null {
  return after(timing, timing.settledUntil ?? new Date(timing.start.getTime() - 1));
}

/**
 * Decides about the due ticks: with `all` the oldest gets a run, with `latest` the newest, with `none` the newest if it
 * has only just come; the ticks before the chosen one are settled with it.
 */
export function plan(timing: Timing): Plan {
  const first = nextTick(timing);
  if (first === null || first.runAfter > timing.now)
    return { run: null, skipped: 0, settledUntil: timing.settledUntil, next: first };
  if (timing.catchup === "all") return settled(timing, first, { run: first, skipped: 0 });
  const { last, before } = lastDue(timing, first);
  const missed = timing.catchup === "none" && timing.now.getTime() - last.runAfter.getTime() > MISSED_AFTER_MS;
  return settled(timing, last, missed ? { run: null, skipped: before + 1 } : { run: last, skipped: before });
}

function settled(timing: Timing, tick: TimetableRun, outcome: Pick<Plan, "run" | "skipped">): Plan {
  return { ...outcome, settledUntil: tick.logicalDate, next: after(timing, tick.logicalDate) };
}

function after({ schedule, end }: Timing, instant: Date): TimetableRun | null {
  const run = nextRun(schedule, instant);
  return run === null || (end !== null && run.logicalDate > end) ? null : run;
}

/** The newest due tick, and how many due ones are before it from `first` on. */
function lastDue(timing: Timing, first: TimetableRun): { last: TimetableRun; before: number } {
  const newest = latestRun(timing.schedule, timing.now) ?? first;
  let last = first;
  let before = 0;
  for (; last.logicalDate < newest.logicalDate && before < SKIP_COUNT_LIMIT; before++) {
    const following = after(timing, last.logicalDate);
    if (following === null) return { last, before };
    last = following;
  }
  const beyondEnd = timing.end !== null && newest.logicalDate > timing.end;
  return { last: beyondEnd ? last : newest, before };
}
