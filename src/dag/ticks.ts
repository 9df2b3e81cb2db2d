/** The instants at which a periodic schedule ticks, in milliseconds. */
import { businessDays } from "./calendar.ts";
import { type CronExpression, nextTick, parseCron } from "./cron.ts";
import type { CalendarSpec, CronSpec, ScheduleSpec } from "./spec.ts";
import { instantOf, wallAt } from "./zone.ts";

/** A schedule that ticks for ever by itself. */
export type PeriodicSchedule = Extract<ScheduleSpec, { kind: "cron" | "cronInterval" | "every" }>;

/** When something ticks. */
export interface Ticks {
  /** The first tick after an instant (exclusive), or null if there is none. */
  next(after: number): number | null;
  /** The last tick at or before an instant, or null if there is none within about a lifetime. */
  last(at: number): number | null;
}

/** Separates the expressions of one schedule. */
export const SEVERAL = " | ";

const DAY = 86_400_000;
const LONGEST = 100 * 366 * DAY;

const known = new WeakMap<PeriodicSchedule, Ticks>();

/** The ticks of a schedule. Throws DAG_INVALID for one that cannot be computed. */
export function ticksOf(schedule: PeriodicSchedule): Ticks {
  const ticks = known.get(schedule) ?? made(schedule);
  known.set(schedule, ticks);
  return ticks;
}

type Next = Ticks["next"];

function made(schedule: PeriodicSchedule): Ticks {
  if (schedule.kind === "every") {
    return elapsed(schedule.milliseconds, schedule.anchor === null ? 0 : Date.parse(schedule.anchor));
  }
  const next = onCalendar(schedule);
  return { next, last: (at) => lastOf(next, at) };
}

function elapsed(period: number, anchor: number): Ticks {
  const last = (at: number): number => anchor + Math.floor((at - anchor) / period) * period;
  return { last, next: (after) => last(after) + period };
}

function onCalendar({ expression, timezone, calendar }: CronSpec): Next {
  const crons = expression.split(SEVERAL).map(parseCron);
  const ticks = crons.map((cron) => (calendar === undefined ? plain(cron, timezone) : open(cron, timezone, calendar)));
  return (after) => earliest(ticks.map((next) => next(after)));
}

function plain(cron: CronExpression, zone: string): Next {
  return (after) => nextTick(cron, zone, after);
}

function open(cron: CronExpression, zone: string, calendar: CalendarSpec): Next {
  const next = plain(cron, zone);
  // Where every day has the same ticks, the next business day has those of the closed days already.
  if (calendar.onClosedDay === "skip" || cron.everyDay) return skipping(next, zone, calendar);
  return moving(next, zone, calendar);
}

/** Ticks of closed days are left out. */
function skipping(next: Next, zone: string, calendar: CalendarSpec): Next {
  const days = businessDays(calendar);
  return (after) => {
    let tick = next(after);
    for (; tick !== null && tick - after < LONGEST; ) {
      const day = dayAt(zone, tick);
      if (days.isOpen(day)) return tick;
      const opening = days.firstOpen(day);
      // The opening may look earlier than the tick where the clock is set back over midnight.
      tick = opening === null ? null : next(Math.max(tick, instantOf(zone, opening * DAY) - 1));
    }
    return null;
  };
}

/** Ticks of closed days come at the same time of the business day after them; what meets there is one tick. */
function moving(next: Next, zone: string, calendar: CalendarSpec): Next {
  const days = businessDays(calendar);
  return (after) => {
    let opening = days.firstOpen(dayAt(zone, after));
    while (opening !== null) {
      let tick = next(instantOf(zone, days.closedSince(opening) * DAY) - 1);
      if (tick === null || tick - after > LONGEST) return null;
      opening = days.firstOpen(Math.max(opening, dayAt(zone, tick)));
      const found: number[] = [];
      for (; tick !== null && opening !== null && dayAt(zone, tick) <= opening; tick = next(tick)) {
        found.push(days.isOpen(dayAt(zone, tick)) ? tick : movedTo(zone, tick, opening));
      }
      const first = earliest(found.filter((instant) => instant > after));
      if (first !== null) return first;
      opening = opening === null ? null : days.firstOpen(opening + 1);
    }
    return null;
  };
}

function movedTo(zone: string, tick: number, day: number): number {
  const wall = wallAt(zone, tick);
  return instantOf(zone, day * DAY + (wall - Math.floor(wall / DAY) * DAY));
}

function dayAt(zone: string, instant: number): number {
  return Math.floor(wallAt(zone, instant) / DAY);
}

function earliest(ticks: readonly (number | null)[]): number | null {
  return ticks.reduce<number | null>(
    (best, tick) => (tick !== null && (best === null || tick < best) ? tick : best),
    null,
  );
}

function lastOf(next: Next, at: number): number | null {
  for (let window = 120_000; window < LONGEST; window *= 4) {
    let last: number | null = null;
    let tick = next(at - window);
    while (tick !== null && tick <= at) {
      last = tick;
      tick = next(tick);
    }
    if (last !== null) return last;
  }
  return null;
}
