/** Cron expressions: five fields and the presets, and the instants at which they tick in a zone. */
import { Cron } from "croner";
import { QflowError } from "../errors.ts";
import { formatFor, instantOf, nextTransition, offsetAt, wallAt } from "./zone.ts";

const PRESETS: Readonly<Record<string, string>> = {
  "@hourly": "0 * * * *",
  "@daily": "0 0 * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@quarterly": "0 0 1 */3 *",
  "@yearly": "0 0 1 1 *",
};

/** A checked cron expression. */
export interface CronExpression {
  /** The five fields, presets written out. */
  readonly fields: string;
  /** The hour field names every hour: ticks then follow elapsed time over a change of the clock. */
  readonly everyHour: boolean;
  /** The day fields name every day: each then has the same wall-clock times. */
  readonly everyDay: boolean;
  /** The next matching wall-clock time after `wall` (both written as UTC milliseconds), or null if there is none. */
  nextWall(wall: number): number | null;
}

const parsed = new Map<string, CronExpression>();

/** Reads an expression. Throws DAG_INVALID unless it has exactly five sound fields (or is a preset) and ever ticks. */
export function parseCron(expression: string): CronExpression {
  const known = parsed.get(expression);
  if (known !== undefined) return known;
  const fields = PRESETS[expression.trim()] ?? expression.trim().split(/\s+/).join(" ");
  if (fields.split(" ").length !== 5) {
    throw invalid(`cron ${JSON.stringify(expression)} has not exactly five fields`);
  }
  const pattern = patternOf(expression, fields);
  const nextWall = (wall: number): number | null => pattern.nextRun(new Date(wall))?.getTime() ?? null;
  if (nextWall(Date.UTC(2000, 0, 1)) === null) throw invalid(`cron ${JSON.stringify(expression)} never ticks`);
  const cron = { fields, everyHour: namesEveryHour(fields), everyDay: namesEveryDay(fields), nextWall };
  parsed.set(expression, cron);
  return cron;
}

/** Throws DAG_INVALID for a zone that the runtime does not know. */
export function checkZone(zone: string): void {
  try {
    formatFor(zone);
  } catch {
    throw invalid(`timezone ${JSON.stringify(zone)} is unknown`, "Use an IANA name such as Africa/Cairo or UTC.");
  }
}

/** The first tick after an instant (exclusive), in milliseconds, or null if there is none. */
export function nextTick(cron: CronExpression, zone: string, after: number): number | null {
  return cron.everyHour ? nextElapsed(cron, zone, after) : nextOnWall(cron, zone, after);
}

/** Wall-clock times, each at the one instant that {@link instantOf} gives it; several in one gap tick once. */
function nextOnWall(cron: CronExpression, zone: string, after: number): number | null {
  let wall = cron.nextWall(wallAt(zone, after));
  while (wall !== null) {
    const instant = instantOf(zone, wall);
    if (instant > after) return instant;
    wall = cron.nextWall(wall);
  }
  return null;
}

/** Every instant whose wall-clock time matches: both times in an overlap, none in a gap. */
function nextElapsed(cron: CronExpression, zone: string, after: number): number | null {
  let from = after;
  let offset = offsetAt(zone, after);
  let wall = after + offset;
  for (;;) {
    const next = cron.nextWall(wall);
    if (next === null) return null;
    const tick = next - offset;
    const change = nextTransition(zone, from, tick);
    if (change === null) return tick;
    // Nothing ticks before the change; go on from it, on the clock that holds from there.
    from = change;
    offset = offsetAt(zone, change);
    wall = change + offset - 1;
  }
}

function patternOf(expression: string, fields: string): Cron {
  if (!/^[\d*,/\-A-Za-z ]+$/.test(fields)) throw invalid(`cron ${JSON.stringify(expression)} is invalid`);
  try {
    return cronerFor(withPlainStars(fields));
  } catch (error) {
    throw invalid(`cron ${JSON.stringify(expression)} is invalid: ${(error as Error).message}`);
  }
}

const JANUARY = Date.UTC(2000, 0, 1);
const HOUR = 3_600_000;

function namesEveryHour(fields: string): boolean {
  return ticksEvery(HOUR, 24, `0 ${fields.split(" ")[1]} * * *`);
}

function namesEveryDay(fields: string): boolean {
  return ticksEvery(24 * HOUR, 366, ["0 0", ...fields.split(" ").slice(2)].join(" "));
}

/**
 * A day field that names every day means `*`: only where both day fields are restricted does either of them suffice.
 * So it is in Airflow, whereas croner goes by how the field is spelled.
 */
function withPlainStars(fields: string): string {
  const [minute, hour, day, month, weekday] = fields.split(" ");
  const anyDay = ticksEvery(24 * HOUR, 31, `0 0 ${day} 1 *`) ? "*" : day;
  const anyWeekday = ticksEvery(24 * HOUR, 7, `0 0 * * ${weekday}`) ? "*" : weekday;
  return [minute, hour, anyDay, month, anyWeekday].join(" ");
}

/** Whether the first `count` ticks from 1 January on are `step` apart. */
function ticksEvery(step: number, count: number, fields: string): boolean {
  const ticks = cronerFor(fields).nextRuns(count, new Date(JANUARY - 1));
  return ticks.length === count && ticks.every((tick, i) => tick.getTime() === JANUARY + i * step);
}

/** Wall clocks are computed as if in UTC, which never jumps; changes of the clock are ours. By offset: by name it costs twelve times as much. */
function cronerFor(fields: string): Cron {
  return new Cron(fields, { utcOffset: 0, mode: "5-part", paused: true });
}

function invalid(message: string, remedy = "Write minute, hour, day of month, month, day of week."): QflowError {
  return new QflowError("DAG_INVALID", message, { remedy });
}
