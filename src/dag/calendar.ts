/** Calendars: which days count. Days are numbers: whole days since 1970-01-01, on a wall clock. */
import { dagError } from "./call-site.ts";
import type { CalendarSpec } from "./spec.ts";

const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"] as const;
/** A day of the week. */
export type Weekday = (typeof WEEKDAYS)[number];

/** Business days: all but weekends and holidays. */
export interface Calendar {
  readonly kind: "calendar";
  readonly holidays: readonly string[];
  readonly weekend: readonly number[];
  /** Whether a date (`2026-01-07`) is a business day. Throws DAG_INVALID for text that is no date. */
  isBusinessDay(date: string): boolean;
}

/** What a calendar is made of. */
export interface CalendarOptions {
  /** `"2026-01-07"` = that day, `"01-07"` = that day of every year. */
  readonly holidays?: readonly string[];
  /** Days of the week that do not count; Saturday and Sunday unless set. */
  readonly weekend?: readonly Weekday[];
}

const DAY = 86_400_000;
/** More closed days in a row than this are taken for ever. */
const LONGEST_CLOSURE = 1_000;

/** Makes a calendar for {@link cron} and {@link cronInterval}. Throws DAG_INVALID for dates that are none, or if no day is left. */
export function calendar(options: CalendarOptions): Calendar {
  const { holidays = [], weekend = ["saturday", "sunday"] } = options;
  for (const date of holidays) {
    if (dayNumber(date.length === 5 ? `2000-${date}` : date) === null) {
      throw dagError(
        `holiday ${JSON.stringify(date)} is no date`,
        undefined,
        'Write "2026-01-07", or "01-07" for each year.',
      );
    }
  }
  const days = weekend.map((name) => WEEKDAYS.indexOf(name));
  if (days.includes(-1)) throw dagError(`weekend names a day that is none: ${weekend.join(", ")}`);
  if (new Set(days).size === WEEKDAYS.length)
    throw dagError("a calendar whose weekend is the whole week has no business day");
  const spec = { holidays: [...new Set(holidays)].sort(), weekend: [...new Set(days)].sort() };
  const isBusinessDay = (date: string): boolean => {
    const day = dayNumber(date);
    if (day === null) throw dagError(`${JSON.stringify(date)} is no date`, undefined, 'Write "2026-01-07".');
    return businessDays({ ...spec, onClosedDay: "skip" }).isOpen(day);
  };
  return { kind: "calendar", ...spec, isBusinessDay };
}

/** Questions about the days of a calendar. */
export interface BusinessDays {
  isOpen(day: number): boolean;
  /** The first open day from `day` on (inclusive), or null where closed days never end. */
  firstOpen(day: number): number | null;
  /** The first of the closed days that end right before `day`, or `day` itself. */
  closedSince(day: number): number;
}

/** The days of a calendar. */
export function businessDays(calendar: CalendarSpec): BusinessDays {
  const dates = new Set(calendar.holidays);
  const weekend = new Set(calendar.weekend);
  const isOpen = (day: number): boolean => {
    const date = new Date(day * DAY);
    if (weekend.has(date.getUTCDay())) return false;
    const text = date.toISOString().slice(0, 10);
    return !dates.has(text) && !dates.has(text.slice(5));
  };
  return {
    isOpen,
    firstOpen: (day) => {
      for (let next = day; next < day + LONGEST_CLOSURE; next++) if (isOpen(next)) return next;
      return null;
    },
    closedSince: (day) => {
      let first = day;
      while (first > day - LONGEST_CLOSURE && !isOpen(first - 1)) first--;
      return first;
    },
  };
}

/** Days since 1970-01-01 of `YYYY-MM-DD`, or null where there is no such day. */
function dayNumber(date: string): number | null {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(date) ? Date.parse(`${date}T00:00:00Z`) : Number.NaN;
  if (Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== date) return null;
  return time / DAY;
}
