import { readFileSync } from "node:fs";
import test from "ava";
import fc from "fast-check";
import { latestRun, manualInterval, nextRun, type TimetableRun } from "../../src/dag/timetable.ts";
import { nextTransition } from "../../src/dag/zone.ts";
import { cron, cronInterval } from "../../src/index.ts";

const oracles = process.env.QFLOW_TEST_ORACLES;
const seconds = (date: Date): string => date.toISOString().replace(".000Z", "Z");
const row = (run: TimetableRun): string[] => [run.interval.start, run.interval.end, run.runAfter].map(seconds);

interface Case {
  kind: "interval" | "trigger";
  cron: string;
  tz: string;
  start: string;
  runs: string[][];
  manual: string[];
}

if (oracles) {
  const lines = readFileSync(`${oracles}/timetable-airflow.jsonl`, "utf8").trim().split("\n");
  test(`answers what Airflow answers in ${lines.length} cases`, (t) => {
    for (const line of lines) {
      const one = JSON.parse(line) as Case;
      const timetable = (one.kind === "interval" ? cronInterval : cron)(one.cron, { timezone: one.tz });
      const from = new Date(one.start);
      t.deepEqual(timetable.runs({ from, count: one.runs.length }).map(row), one.runs, line);
      const { start, end } = manualInterval(timetable.spec, from);
      t.deepEqual([start, end].map(seconds), one.manual, line);
    }
  });
}

const ticks = (expression: string, timezone: string, from: string, count: number): string[] =>
  cron(expression, { timezone })
    .runs({ from: new Date(from), count })
    .map((run) => seconds(run.logicalDate));

test("a tick in a gap fires once, at the first instant after it", (t) => {
  t.deepEqual(ticks("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2), [
    "2026-03-29T01:00:00Z",
    "2026-03-30T00:30:00Z",
  ]);
  t.deepEqual(ticks("0,30 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 2), [
    "2026-03-29T01:00:00Z",
    "2026-03-29T01:30:00Z",
  ]);
  t.deepEqual(ticks("0 */6 * * *", "Africa/Cairo", "2026-04-23T20:00:00Z", 2), [
    "2026-04-23T22:00:00Z",
    "2026-04-24T03:00:00Z",
  ]);
});

test("a tick in an overlap fires once, at the first occurrence", (t) => {
  t.deepEqual(ticks("30 2 * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 2), [
    "2026-10-25T00:30:00Z",
    "2026-10-26T01:30:00Z",
  ]);
  t.deepEqual(ticks("30 2 * * *", "Europe/Berlin", "2026-10-25T01:00:00Z", 1), ["2026-10-26T01:30:00Z"]);
});

test("with every hour, ticks follow elapsed time", (t) => {
  t.deepEqual(ticks("30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 3), [
    "2026-10-25T00:30:00Z",
    "2026-10-25T01:30:00Z",
    "2026-10-25T02:30:00Z",
  ]);
  t.deepEqual(ticks("30 0-23 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 2), [
    "2026-03-29T00:30:00Z",
    "2026-03-29T01:30:00Z",
  ]);
});

test("Australia/Lord_Howe, whose clock jumps half an hour, keeps going", (t) => {
  t.deepEqual(ticks("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T15:00:00Z", 3), [
    "2026-10-02T15:45:00Z",
    "2026-10-03T15:30:00Z",
    "2026-10-04T15:15:00Z",
  ]);
});

test("a skipped calendar day (Samoa, 2011) is made up for at its end", (t) => {
  t.deepEqual(ticks("0 12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", 3), [
    "2011-12-29T22:00:00Z",
    "2011-12-30T10:00:00Z",
    "2011-12-30T22:00:00Z",
  ]);
});

test("expressions with other than five fields, unknown names and days that never come are refused with the author's line", (t) => {
  for (const wrong of ["* * * *", "0 * * * * *", "61 * * * *", "0 0 31 2 *", "@reboot", "a b c d e", "", "0 0 ? * *"]) {
    const error = t.throws(() => cron(wrong), { code: "DAG_INVALID" }, wrong);
    t.regex(error?.message ?? "", /timetable\.test\.ts:\d+: schedule: /);
  }
  t.throws(() => cron("0 0 * * *", { timezone: "Africa/Kairo" }), { message: /timezone "Africa\/Kairo" is unknown/ });
});

test("presets and their five fields are the same", (t) => {
  const from = new Date("2026-01-15T03:00:00Z");
  const logical = (expression: string) =>
    cron(expression)
      .runs({ from, count: 3 })
      .map((run) => run.logicalDate);
  t.deepEqual(logical("@quarterly"), logical("0 0 1 1,4,7,10 *"));
  t.deepEqual(logical("@weekly"), logical("0 0 * * SUN"));
  t.deepEqual(logical("@weekly"), logical("0 0 * * 7"));
});

test("the latest run is the one before the next", (t) => {
  for (const make of [cron, cronInterval]) {
    const { spec } = make("30 2 * * 1-5", { timezone: "Africa/Cairo" });
    const at = new Date("2026-05-09T12:00:00Z");
    const latest = latestRun(spec, at);
    t.true(latest !== null && latest.runAfter <= at);
    const next = nextRun(spec, latest?.logicalDate as Date);
    t.true(next !== null && next.runAfter > at);
  }
});

const zones = fc.constantFrom("UTC", ...Intl.supportedValuesOf("timeZone"));
const instants = fc.date({
  min: new Date("1970-01-01T00:00:00Z"),
  max: new Date("2037-12-31T00:00:00Z"),
  noInvalidDate: true,
});
const field = (low: number, high: number) =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant("*") },
    { weight: 3, arbitrary: fc.integer({ min: low, max: high }).map(String) },
    fc.integer({ min: 2, max: 6 }).map((step) => `*/${step}`),
    fc.tuple(fc.integer({ min: low, max: high }), fc.integer({ min: low, max: high })).map(([a, b]) => `${a},${b}`),
    fc
      .tuple(fc.integer({ min: low, max: high }), fc.integer({ min: low, max: high }))
      .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
  );
const expressions = fc
  .tuple(
    field(0, 59),
    field(0, 23),
    fc.oneof({ weight: 3, arbitrary: fc.constant("*") }, field(1, 28)),
    fc.constant("*"),
    fc.oneof({ weight: 3, arbitrary: fc.constant("*") }, field(0, 6)),
  )
  .map((fields) => fields.join(" "));

test("in every zone, ticks strictly increase and lie after where they are asked from", (t) => {
  fc.assert(
    fc.property(expressions, zones, instants, (expression, timezone, from) => {
      const { spec } = cron(expression, { timezone });
      let after = from;
      for (let i = 0; i < 8; i++) {
        const run = nextRun(spec, after);
        if (run === null || run.logicalDate <= after) return false;
        after = run.logicalDate;
      }
      return true;
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test("in each zone there is, a year of Sundays has one tick a Sunday, each later than the one before", (t) => {
  const from = new Date("2026-01-01T12:00:00Z");
  for (const timezone of Intl.supportedValuesOf("timeZone")) {
    const found = cron("30 2 * * 0", { timezone })
      .runs({ from, count: 52 })
      .map((run) => run.logicalDate.getTime());
    const days = found.map((tick, i) => (i === 0 ? 7 : (tick - (found[i - 1] as number)) / 86_400_000));
    t.true(
      days.every((apart) => Math.abs(apart - 7) <= 0.1),
      timezone,
    );
  }
});

/** What a field of numbers, `*`, ranges, lists and steps names, read on its own. */
function named(text: string, low: number, high: number): Set<number> {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const [range = "", step = "1"] = part.split("/");
    const [from, to] =
      range === "*" ? [low, high] : range.includes("-") ? range.split("-").map(Number) : [Number(range), Number(range)];
    for (let value = from as number; value <= (to as number); value += Number(step)) values.add(value);
  }
  return values;
}

const wallFormat = (zone: string) =>
  new Intl.DateTimeFormat("en-CA", {
    timeZone: zone,
    hourCycle: "h23",
    weekday: "short",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  });

/** Minute by minute: what the wall shows, whether it matches; seen times and jumped-over times by their definition. */
function bruteForce(expression: string, zone: string, from: number, minutes: number): number[] {
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = expression.split(" ");
  const sets = [
    named(minute, 0, 59),
    named(hour, 0, 23),
    named(day, 1, 31),
    named(month, 1, 12),
    named(weekday, 0, 6),
  ] as const;
  const matches = (wall: Date): boolean => {
    const onDay = sets[2].has(wall.getUTCDate());
    const onWeekday = sets[4].has(wall.getUTCDay());
    const either = sets[2].size < 31 && sets[4].size < 7 ? onDay || onWeekday : onDay && onWeekday;
    return (
      sets[0].has(wall.getUTCMinutes()) &&
      sets[1].has(wall.getUTCHours()) &&
      sets[3].has(wall.getUTCMonth() + 1) &&
      either
    );
  };
  const format = wallFormat(zone);
  const wallOf = (instant: number): number => {
    const parts = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(parts.year as number, (parts.month as number) - 1, parts.day, parts.hour, parts.minute);
  };
  const everyHour = sets[1].size === 24;
  const ticks: number[] = [];
  // Start early enough to have seen both sides of a change before `from`.
  let seenUntil = wallOf(from - 3 * 3_600_000) - 60_000;
  for (let instant = from - 3 * 3_600_000; instant < from + minutes * 60_000; instant += 60_000) {
    const wall = wallOf(instant);
    let ticked = everyHour && matches(new Date(wall));
    for (let shown = seenUntil + 60_000; !everyHour && shown <= wall; shown += 60_000)
      ticked ||= matches(new Date(shown));
    seenUntil = Math.max(seenUntil, wall);
    if (ticked && instant >= from) ticks.push(instant);
  }
  return ticks;
}

const changes = [
  ["Europe/Berlin", "2026-03-29T00:00:00Z"],
  ["Europe/Berlin", "2026-10-24T23:00:00Z"],
  ["Africa/Cairo", "2026-04-23T20:00:00Z"],
  ["Africa/Cairo", "2026-10-29T20:00:00Z"],
  ["America/New_York", "2026-03-08T05:00:00Z"],
  ["America/St_Johns", "2026-11-01T02:00:00Z"],
  ["Australia/Lord_Howe", "2026-10-03T14:00:00Z"],
  ["Australia/Lord_Howe", "2026-04-04T13:00:00Z"],
  ["Africa/Casablanca", "2026-02-15T00:00:00Z"],
  ["America/Santiago", "2026-09-06T02:00:00Z"],
  ["Pacific/Chatham", "2026-09-26T12:00:00Z"],
  ["Asia/Kathmandu", "2026-06-01T00:00:00Z"],
] as const;

test("ticks equal brute force by minute, on the days clocks change too", (t) => {
  const minutes = 36 * 60;
  fc.assert(
    fc.property(expressions, fc.constantFrom(...changes), (expression, [timezone, start]) => {
      const from = Date.parse(start);
      const expected = bruteForce(expression, timezone, from, minutes);
      const runs = cron(expression, { timezone }).runs({ from: new Date(from), count: expected.length + 1 });
      const found = runs.map((run) => run.logicalDate.getTime()).filter((tick) => tick < from + minutes * 60_000);
      return JSON.stringify(found) === JSON.stringify(expected);
    }),
    { numRuns: 60 },
  );
  t.pass();
});

test("ticks equal brute force by minute around changes of the clock, in all zones and years", (t) => {
  const minutes = 20 * 60;
  const year = 366 * 86_400_000;
  // Until 1972 there is a zone whose offset is no whole minute.
  const since = { min: Date.parse("1973-01-01T00:00:00Z"), max: Date.parse("2037-01-01T00:00:00Z") };
  fc.assert(
    fc.property(expressions, zones, fc.integer(since), (expression, timezone, at) => {
      const change = nextTransition(timezone, at, at + year) ?? at;
      const from = Math.floor(change / 60_000) * 60_000 - 10 * 3_600_000;
      const expected = bruteForce(expression, timezone, from, minutes);
      const runs = cron(expression, { timezone }).runs({ from: new Date(from), count: expected.length + 1 });
      const found = runs.map((run) => run.logicalDate.getTime()).filter((tick) => tick < from + minutes * 60_000);
      return JSON.stringify(found) === JSON.stringify(expected);
    }),
    { numRuns: 60 },
  );
  t.pass();
});
