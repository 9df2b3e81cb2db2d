/** Wall clocks: between instants and what a clock on the wall of an IANA zone shows. All in milliseconds. */

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const formats = new Map<string, Intl.DateTimeFormat>();

/** Throws RangeError for a zone the runtime does not know. */
export function formatFor(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(zone, format);
  }
  return format;
}

/** How far the zone's wall clock is ahead of UTC at an instant. */
export function offsetAt(zone: string, instant: number): number {
  if (zone === "UTC") return 0;
  const field: Record<string, number> = {};
  for (const { type, value } of formatFor(zone).formatToParts(instant)) field[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = field;
  const wall = Date.UTC(year, month - 1, day, hour, minute, second);
  return wall - Math.floor(instant / 1000) * 1000;
}

/** What the wall clock shows at an instant, written as if it were UTC. */
export function wallAt(zone: string, instant: number): number {
  return instant + offsetAt(zone, instant);
}

/** The first change of the zone's offset in `(after, until]`, or null. */
export function nextTransition(zone: string, after: number, until: number): number | null {
  if (zone === "UTC") return null;
  const before = offsetAt(zone, after);
  for (let low = after; low < until; low += DAY) {
    const high = Math.min(low + DAY, until);
    if (offsetAt(zone, high) !== before) return bisect(zone, before, low, high);
  }
  return null;
}

/** The first instant in `(low, high]` whose offset is not `before`; zones change on whole seconds. */
function bisect(zone: string, before: number, from: number, to: number): number {
  let low = Math.floor(from / 1000);
  let high = Math.ceil(to / 1000);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(zone, middle * 1000) === before) low = middle;
    else high = middle;
  }
  return high * 1000;
}

/**
 * The instant at which the wall clock shows `wall`. A time that the clock jumps over is the first instant after the jump;
 * a time that it shows twice is the first of the two.
 */
export function instantOf(zone: string, wall: number): number {
  // No zone is further than a day from UTC, so these two instants lie on either side.
  const earlier = offsetAt(zone, wall - DAY);
  const later = offsetAt(zone, wall + DAY);
  if (earlier === later) return wall - earlier;
  const change = nextTransition(zone, wall - DAY, wall + DAY);
  if (change === null || wall - earlier < change) return wall - earlier;
  return Math.max(wall - later, change);
}
