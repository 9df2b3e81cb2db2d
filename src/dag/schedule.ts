/** Schedules as DAG authors write them. */
import { dagError } from "./call-site.ts";
import { type CronExpression, checkZone, parseCron } from "./cron.ts";
import { type DatasetExpression, type DatasetLike, expressionOf } from "./datasets.ts";
import type { DatasetConsumption, ScheduleSpec } from "./spec.ts";
import { listRuns, type TimetableRun } from "./timetable.ts";

/** A schedule by the clock. */
export interface Timetable {
  readonly kind: "timetable";
  readonly spec: Extract<ScheduleSpec, { kind: "cron" | "cronInterval" }>;
  /** The first `count` runs from `from` on (inclusive; for {@link cronInterval} it bounds the first interval's start). Pure. */
  runs(range: { from: Date; count: number }): TimetableRun[];
}

/** A schedule by dataset events. */
export interface DatasetSchedule {
  readonly kind: "datasetSchedule";
  readonly spec: Extract<ScheduleSpec, { kind: "datasets" }>;
  readonly expression: DatasetExpression;
}

/** What `schedule` takes; null = only by hand. */
export type Schedule = Timetable | DatasetSchedule | null;

/** IANA zone in which the expression is read; UTC where absent. */
export interface CronOptions {
  readonly timezone?: string;
}

/** A run at every tick of a five-field cron expression or preset; its interval is the tick itself. Throws DAG_INVALID. */
export function cron(expression: string, options: CronOptions = {}): Timetable {
  return timetable("cron", expression, options);
}

/** A run for every interval between two ticks, made when the interval has ended. Throws DAG_INVALID. */
export function cronInterval(expression: string, options: CronOptions = {}): Timetable {
  return timetable("cronInterval", expression, options);
}

/**
 * A run when datasets have new events: a dataset, {@link all} or {@link any}. `consume: "pending"` (default) makes one run of
 * all events waiting, `"each"` one run an event, whose `extra` becomes the run's params.
 */
export function onDatasets(
  condition: DatasetLike | DatasetExpression,
  options: { consume?: DatasetConsumption } = {},
): DatasetSchedule {
  const expression = expressionOf(condition);
  const consume = options.consume ?? "pending";
  if (consume === "each" && !("dataset" in expression.condition) && !("any" in expression.condition)) {
    throw dagError('consume "each" makes one run an event: name one dataset or any(…), not all(…)');
  }
  return { kind: "datasetSchedule", spec: { kind: "datasets", condition: expression.condition, consume }, expression };
}

function timetable(kind: "cron" | "cronInterval", expression: string, options: CronOptions): Timetable {
  const timezone = options.timezone ?? "UTC";
  checked(() => checkZone(timezone));
  checked((): CronExpression => parseCron(expression));
  const spec = { kind, expression, timezone };
  return { kind: "timetable", spec, runs: (range) => listRuns(spec, range) };
}

function checked(check: () => unknown): void {
  try {
    check();
  } catch (error) {
    throw dagError(`schedule: ${(error as Error).message}`);
  }
}
