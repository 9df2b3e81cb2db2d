/** The dates of a backfill. Pure: the time is given. */
import { QflowError } from "../errors.ts";
import type { DagSpec } from "./spec.ts";
import { isPeriodic, manualInterval, nextRun, type TimetableRun } from "./timetable.ts";

/** A period, both ends included, or single dates. */
export type BackfillRange = { readonly from: Date; readonly to: Date } | { readonly dates: readonly Date[] };

/** Most dates of one backfill. */
export const BACKFILL_LIMIT = 100_000;

/**
 * The runs that a backfill is about, oldest first: of a period those of the schedule whose logical date is in it and that are due,
 * of single dates one each. Throws USAGE where there are none, too many, or where one that is named is not over yet.
 */
export function backfillDates(
  dag: Pick<DagSpec, "dagId" | "schedule">,
  range: BackfillRange,
  now: Date,
): TimetableRun[] {
  const dates = "dates" in range ? listed(dag, range.dates) : inPeriod(dag, range, now);
  if (dates.length === 0) {
    throw new QflowError("USAGE", `the schedule of DAG ${dag.dagId} has no date there`, {
      remedy: `See its dates with \`qflow dags next ${dag.dagId}\`, or name single ones.`,
    });
  }
  if (dates.length > BACKFILL_LIMIT)
    throw new QflowError("USAGE", `that is more than ${BACKFILL_LIMIT} dates`, { remedy: "Take a shorter period." });
  const coming = dates.find((date) => date.runAfter > now);
  if (coming === undefined) return dates;
  throw new QflowError("USAGE", `${coming.logicalDate.toISOString()} is not over yet`, {
    remedy: "A backfill is for the past: leave the coming dates to the schedule.",
  });
}

function listed({ schedule }: Pick<DagSpec, "schedule">, dates: readonly Date[]): TimetableRun[] {
  const times = [...new Set(dates.map((date) => date.getTime()))].sort((a, b) => a - b);
  return times.map((time) => {
    const logicalDate = new Date(time);
    const own = schedule !== null && isPeriodic(schedule) ? nextRun(schedule, new Date(time - 1)) : null;
    if (own?.logicalDate.getTime() === time) return own;
    const interval = manualInterval(schedule, logicalDate);
    return { logicalDate, interval, runAfter: logicalDate };
  });
}

function inPeriod(
  { dagId, schedule }: Pick<DagSpec, "dagId" | "schedule">,
  range: { readonly from: Date; readonly to: Date },
  now: Date,
): TimetableRun[] {
  if (range.to < range.from) throw new QflowError("USAGE", "the period ends before it begins");
  if (schedule === null || !isPeriodic(schedule)) {
    throw new QflowError("USAGE", `DAG ${dagId} has no schedule by the clock, so a period has no dates`, {
      remedy: "Name single dates.",
    });
  }
  const runs: TimetableRun[] = [];
  let run = nextRun(schedule, new Date(range.from.getTime() - 1));
  while (run !== null && run.logicalDate <= range.to && run.runAfter <= now && runs.length <= BACKFILL_LIMIT) {
    runs.push(run);
    run = nextRun(schedule, run.logicalDate);
  }
  return runs;
}
