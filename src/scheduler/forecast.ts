/** What a clock schedule has in store. Pure: the time is given. */
import { isPeriodic, type TimetableRun } from "../dag/timetable.ts";
import { nextTick, plan, SKIP_COUNT_LIMIT, type Timing } from "./plan.ts";

/** Runs that are due already. */
export interface DueRuns {
  /** The first of them, at most as many as asked for. */
  readonly runs: readonly TimetableRun[];
  /** How many there are; counted up to {@link SKIP_COUNT_LIMIT}. */
  readonly total: number;
  /** Due ticks that get no run by the catchup policy. */
  readonly skipped: number;
}

/** The runs that are made as soon as the DAG is not paused and has room for them; one after the other with catchup `all`. */
export function dueRuns(timing: Timing, limit: number): DueRuns {
  const { run, skipped } = plan(timing);
  if (run === null) return { runs: [], total: 0, skipped };
  if (!isPeriodic(timing.schedule) || timing.catchup !== "all")
    return { runs: [run].slice(0, limit), total: 1, skipped };
  const runs: TimetableRun[] = [];
  let total = 0;
  let settledUntil = timing.settledUntil;
  for (
    let next = plan(timing);
    next.run !== null && total < SKIP_COUNT_LIMIT;
    next = plan({ ...timing, settledUntil })
  ) {
    if (runs.length < limit) runs.push(next.run);
    total++;
    settledUntil = next.settledUntil;
  }
  return { runs, total, skipped };
}

/** The first `count` runs that are to come after now, whether the DAG is paused or not. Of a continuous schedule none is known. */
export function comingRuns(timing: Timing, count: number): TimetableRun[] {
  if (timing.schedule.kind === "continuous") return [];
  const runs: TimetableRun[] = [];
  let settledUntil = settledNow(timing);
  while (runs.length < count) {
    const next = nextTick({ ...timing, settledUntil });
    if (next === null) break;
    runs.push(next);
    settledUntil = next.logicalDate;
  }
  return runs;
}

/** Up to where ticks are settled once everything due is. */
function settledNow(timing: Timing): Date | null {
  return plan({ ...timing, catchup: timing.catchup === "all" ? "latest" : timing.catchup }).settledUntil;
}
