/** Schedules as DAG authors write them. */
import type { Calendar } from "./calendar.ts";
import { dagError } from "./call-site.ts";
import { checkZone, parseCron } from "./cron.ts";
import { type DatasetExpression, type DatasetLike, expressionOf } from "./datasets.ts";
import { type Duration, milliseconds } from "./duration.ts";
import type { ClosedDayRule, CronSpec, DatasetConsumption, MessageSchedule, ScheduleSpec } from "./spec.ts";
import { SEVERAL, ticksOf } from "./ticks.ts";
import { type ClockSchedule, listRuns, type TimetableRun } from "./timetable.ts";

/** A schedule by the clock. */
export interface Timetable<Spec extends ClockSchedule = ClockSchedule> {
  readonly kind: "timetable";
  readonly spec: Spec;
  /**
   * The first `count` runs from `from` on (inclusive; for {@link cronInterval} it bounds the first interval's start). Of
   * {@link once} and {@link continuous} only the first is known. Pure.
   */
  runs(range: { from: Date; count: number }): TimetableRun[];
}

/** A schedule by dataset events. */
export interface DatasetSchedule {
  readonly kind: "datasetSchedule";
  readonly spec: Extract<ScheduleSpec, { kind: "datasets" }>;
  readonly expression: DatasetExpression;
}

/** A schedule by the messages of a topic. */
export interface TopicSchedule {
  readonly kind: "topicSchedule";
  readonly spec: MessageSchedule;
}

/** What `schedule` takes; null = only by hand. */
export type Schedule = Timetable | DatasetSchedule | TopicSchedule | null;

/** How a cron expression is read. */
export interface CronOptions {
  /** IANA zone in which the expression is read; UTC where absent. */
  readonly timezone?: string;
  /** Only business days of it count. */
  readonly calendar?: Calendar;
  /** What becomes of a tick on another day: left out (default), or at the same time of the next business day. */
  readonly onClosedDay?: ClosedDayRule;
}

/**
 * A run at every tick of a five-field cron expression or preset, or of several; its interval is the tick itself. Ticks of
 * several that meet are one. Throws DAG_INVALID.
 */
export function cron(expression: string | readonly string[], options: CronOptions = {}): Timetable<CronSpec> {
  return timetable(cronSpec("cron", expression, options));
}

/** A run for every interval between two ticks, made when the interval has ended. Throws DAG_INVALID. */
export function cronInterval(expression: string | readonly string[], options: CronOptions = {}): Timetable<CronSpec> {
  return timetable(cronSpec("cronInterval", expression, options));
}

/**
 * A run every so often by elapsed time, whatever clocks do; its interval is the tick itself. Ticks are counted from `anchor`
 * (an instant with offset), else from the DAG's `start`, else from 1970-01-01T00:00:00Z. Throws DAG_INVALID for less than a second.
 */
export function every(
  period: Duration,
  options: { anchor?: string } = {},
): Timetable<Extract<ScheduleSpec, { kind: "every" }>> {
  const length = milliseconds(period, "every");
  if (length < 1000) throw dagError(`every ${JSON.stringify(period)} is less than a second`);
  const { anchor } = options;
  if (anchor !== undefined && !/(Z|[+-]\d\d:\d\d)$/.test(anchor)) {
    throw dagError(`anchor ${JSON.stringify(anchor)} has no offset`, undefined, 'Write "2026-01-31T02:30:00Z".');
  }
  const at = anchor === undefined ? null : Date.parse(anchor);
  if (Number.isNaN(at)) throw dagError(`anchor ${JSON.stringify(anchor)} is no instant`);
  return timetable({ kind: "every", milliseconds: length, anchor: at === null ? null : new Date(at).toISOString() });
}

/** One run: at the DAG's `start`, or as soon as the DAG is known and not paused. */
export function once(): Timetable<Extract<ScheduleSpec, { kind: "once" }>> {
  return timetable({ kind: "once" });
}

/**
 * A run whenever the one before has ended, one at a time; its interval is the time since the one before. Runs start at least
 * `atMostEvery` (1 second) apart, and after failed ones a growing time apart, up to 5 minutes. Throws DAG_INVALID.
 */
export function continuous(
  options: { atMostEvery?: Duration } = {},
): Timetable<Extract<ScheduleSpec, { kind: "continuous" }>> {
  const spacingMs = milliseconds(options.atMostEvery ?? "1s", "atMostEvery");
  if (spacingMs < 1000) throw dagError(`atMostEvery ${JSON.stringify(options.atMostEvery)} is less than a second`);
  return timetable({ kind: "continuous", spacingMs });
}

/**
 * A run when datasets have new events: a dataset, {@link all} or {@link any}. `consume: "pending"` (default) makes one run of
 * all events waiting, `"each"` one run an event, whose `extra` becomes the run's params, `"partition"` one run for every
 * partition of which the condition holds: with `all`, when each dataset has an event of that partition.
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

/** Which messages start runs, and how. */
export interface OnMessageOptions {
  /** Id of a connection of kind `kafka`. */
  readonly connection: string;
  readonly topic: string;
  /**
   * What makes a second message the same as one before, which then starts nothing: its place in the topic (default), its `"key"`, or
   * the value at a JSON pointer (`"/orderId"`).
   */
  readonly dedupe?: "offset" | "key" | `/${string}`;
  /** Where to begin when the DAG is first known: with what comes from then on (default), or with what the topic holds. */
  readonly from?: "latest" | "earliest";
  /** One run for all that came: when `messages` (100) wait, or the oldest has waited `within` (1 minute). */
  readonly window?: { readonly messages?: number; readonly within?: Duration };
}

/** Most messages that a run of a window takes. */
const WINDOW_LIMIT = 1_000;

/**
 * A run for every message of a topic, or for every window of messages. The params `message` or `messages`, where the DAG declares
 * them, hold what came; of a single message that is a JSON object, its fields are params too. Throws DAG_INVALID.
 */
export function onMessage(options: OnMessageOptions): TopicSchedule {
  const { connection, topic, dedupe = "offset", from = "latest", window } = options;
  if (connection === "") throw dagError("onMessage: connection is empty");
  if (!/^[A-Za-z0-9._-]{1,249}$/.test(topic)) throw dagError(`onMessage: ${JSON.stringify(topic)} is no topic's name`);
  const messages = window?.messages ?? 100;
  if (!Number.isInteger(messages) || messages < 1 || messages > WINDOW_LIMIT) {
    throw dagError(`onMessage: a window has 1 to ${WINDOW_LIMIT} messages, not ${messages}`);
  }
  const within = milliseconds(window?.within ?? "1m", "within");
  if (within < 1000) throw dagError(`within ${JSON.stringify(window?.within)} is less than a second`);
  const same = dedupe === "offset" || dedupe === "key" ? dedupe : { pointer: dedupe };
  const opened = window === undefined ? null : { messages, milliseconds: within };
  return { kind: "topicSchedule", spec: { kind: "messages", connection, topic, dedupe: same, from, window: opened } };
}

function cronSpec(kind: CronSpec["kind"], given: string | readonly string[], options: CronOptions): CronSpec {
  const { timezone = "UTC", calendar, onClosedDay } = options;
  const expressions = typeof given === "string" ? [given] : [...new Set(given)];
  if (expressions.length === 0) throw dagError("schedule: name at least one cron expression");
  checked(() => checkZone(timezone));
  for (const expression of expressions) checked(() => parseCron(expression));
  if (calendar === undefined && onClosedDay !== undefined) throw dagError("schedule: onClosedDay needs a calendar");
  const spec: CronSpec = { kind, expression: expressions.join(SEVERAL), timezone };
  if (calendar === undefined) return spec;
  const { holidays, weekend } = calendar;
  const days = { holidays: [...holidays], weekend: [...weekend], onClosedDay: onClosedDay ?? "skip" };
  const onDays: CronSpec = { ...spec, calendar: days };
  if (ticksOf(onDays).next(Date.UTC(2000, 0, 1)) !== null) return onDays;
  throw dagError(`schedule: no tick of ${JSON.stringify(spec.expression)} falls on a business day`);
}

function timetable<Spec extends ClockSchedule>(spec: Spec): Timetable<Spec> {
  return { kind: "timetable", spec, runs: (range) => listRuns(spec, range) };
}

function checked(check: () => unknown): void {
  try {
    check();
  } catch (error) {
    throw dagError(`schedule: ${(error as Error).message}`);
  }
}
