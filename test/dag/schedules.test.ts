import test from "ava";
import fc from "fast-check";
import { scheduleDescription, scheduleSummary } from "../../src/dag/schedule-text.ts";
import type { CronSpec } from "../../src/dag/spec.ts";
import { latestRun, nextRun } from "../../src/dag/timetable.ts";
import {
  type Calendar,
  calendar,
  continuous,
  cron,
  cronInterval,
  dag,
  every,
  once,
  onDatasets,
  type Timetable,
} from "../../src/index.ts";

const seconds = (date: Date): string => date.toISOString().replace(".000Z", "Z");
const ticks = (timetable: Timetable, from: string, count: number): string[] =>
  timetable.runs({ from: new Date(from), count }).map((run) => seconds(run.logicalDate));

test("a period ticks by elapsed time, over a change of the clock too; its interval is the tick", (t) => {
  t.deepEqual(ticks(every("PT15M"), "2026-01-01T00:00:00Z", 3), [
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:15:00Z",
    "2026-01-01T00:30:00Z",
  ]);
  t.deepEqual(ticks(every("1d", { anchor: "2026-03-27T06:00:00+01:00" }), "2026-03-28T00:00:00Z", 3), [
    "2026-03-28T05:00:00Z",
    "2026-03-29T05:00:00Z",
    "2026-03-30T05:00:00Z",
  ]);
  const [run] = every("2h").runs({ from: new Date("2026-01-01T00:30:00Z"), count: 1 });
  t.deepEqual(run?.interval, { start: run?.logicalDate, end: run?.runAfter });
  t.throws(() => every("500ms"), { code: "DAG_INVALID", message: /less than a second/ });
  t.throws(() => every("1h", { anchor: "2026-01-01T00:00" }), { message: /has no offset/ });
  t.throws(() => every("soon" as "1h"), { message: /is no duration/ });
});

test("a period without anchor is counted from the DAG's start", (t) => {
  const { spec } = dag("d", { schedule: every("PT15M"), start: "2026-01-01T00:07" }, () => {});
  t.deepEqual(spec.schedule, { kind: "every", milliseconds: 900_000, anchor: "2026-01-01T00:07:00.000Z" });
  const anchored = dag(
    "d",
    { schedule: every("1h", { anchor: "2026-01-01T00:00:00Z" }), start: "2026-02-01" },
    () => {},
  );
  t.like(anchored.spec.schedule, { anchor: "2026-01-01T00:00:00.000Z" });
});

test("a period's ticks lie strictly after, whole periods from the anchor, and the last is the one before the next", (t) => {
  const instant = fc.date({ min: new Date(0), max: new Date("2037-12-31T00:00:00Z"), noInvalidDate: true });
  fc.assert(
    fc.property(fc.integer({ min: 1000, max: 90 * 86_400_000 }), instant, instant, (milliseconds, anchor, at) => {
      const spec = { kind: "every", milliseconds, anchor: anchor.toISOString() } as const;
      const next = nextRun(spec, at)?.logicalDate.getTime() as number;
      const last = latestRun(spec, at)?.logicalDate.getTime() as number;
      return (
        next > at.getTime() &&
        last <= at.getTime() &&
        next - last === milliseconds &&
        (next - anchor.getTime()) % milliseconds === 0
      );
    }),
  );
  t.pass();
});

test("once and continuous know their first run only", (t) => {
  for (const timetable of [once(), continuous()]) {
    t.deepEqual(ticks(timetable, "2026-01-01T00:00:00Z", 5), ["2026-01-01T00:00:00Z"]);
    t.deepEqual(ticks(timetable, "2026-01-01T00:00:00Z", 0), []);
  }
});

test("a continuous DAG has one run at a time", (t) => {
  t.is(dag("d", { schedule: continuous() }, () => {}).spec.maxActiveRuns, 1);
  t.deepEqual(continuous({ atMostEvery: "1m" }).spec, { kind: "continuous", spacingMs: 60_000 });
  t.throws(() => dag("d", { schedule: continuous(), maxActiveRuns: 2 }, () => {}), {
    code: "DAG_INVALID",
    message: /one run at a time/,
  });
  t.throws(() => continuous({ atMostEvery: "10ms" }), { message: /less than a second/ });
});

test("several expressions tick where any of them does, each moment once; intervals go from tick to tick", (t) => {
  const timezone = "Europe/Berlin";
  const both = ["0 9 * * 1-5", "0 9,12 * * 6"];
  t.deepEqual(ticks(cron(both, { timezone }), "2026-10-23T00:00:00Z", 4), [
    "2026-10-23T07:00:00Z",
    "2026-10-24T07:00:00Z",
    "2026-10-24T10:00:00Z",
    "2026-10-26T08:00:00Z",
  ]);
  t.deepEqual(ticks(cron(["0 * * * *", "0 9 * * *"]), "2026-01-01T08:30:00Z", 3), [
    "2026-01-01T09:00:00Z",
    "2026-01-01T10:00:00Z",
    "2026-01-01T11:00:00Z",
  ]);
  const intervals = cronInterval(both, { timezone }).runs({ from: new Date("2026-10-24T08:00:00Z"), count: 2 });
  t.deepEqual(
    intervals.map(({ interval }) => [interval.start, interval.end].map(seconds)),
    [
      ["2026-10-24T10:00:00Z", "2026-10-26T08:00:00Z"],
      ["2026-10-26T08:00:00Z", "2026-10-27T08:00:00Z"],
    ],
  );
  t.throws(() => cron([]), { code: "DAG_INVALID", message: /at least one/ });
  t.throws(() => cron(["0 9 * * *", "nonsense"]), { message: /five fields/ });
  t.throws(() => cron("0 9 * * * | 0 10 * * *"), { message: /five fields/ });
});

const EGYPT = calendar({ weekend: ["friday", "saturday"], holidays: ["01-07", "2026-01-25"] });

test("closed days are left out", (t) => {
  const timetable = cron("0 7 * * *", { timezone: "Africa/Cairo", calendar: EGYPT });
  // The 7th is a holiday each year, the 9th and 10th are a weekend.
  t.deepEqual(ticks(timetable, "2026-01-06T00:00:00Z", 4), [
    "2026-01-06T05:00:00Z",
    "2026-01-08T05:00:00Z",
    "2026-01-11T05:00:00Z",
    "2026-01-12T05:00:00Z",
  ]);
  t.deepEqual(ticks(timetable, "2027-01-06T00:00:00Z", 2), ["2027-01-06T05:00:00Z", "2027-01-10T05:00:00Z"]);
});

test("closed days are moved to the next business day at the same time, where what meets is one tick", (t) => {
  const monthly = cron("30 7 1,2 * *", { calendar: EGYPT, onClosedDay: "nextBusinessDay" });
  // 1 and 2 May 2026 are a Friday and a Saturday: both come on Sunday the 3rd.
  t.deepEqual(ticks(monthly, "2026-04-15T00:00:00Z", 3), [
    "2026-05-03T07:30:00Z",
    "2026-06-01T07:30:00Z",
    "2026-06-02T07:30:00Z",
  ]);
  const late = cron(["0 18 * * 5", "0 9 * * 6"], { calendar: EGYPT, onClosedDay: "nextBusinessDay" });
  t.deepEqual(ticks(late, "2026-05-01T00:00:00Z", 3), [
    "2026-05-03T09:00:00Z",
    "2026-05-03T18:00:00Z",
    "2026-05-10T09:00:00Z",
  ]);
});

test("the interval over a weekend goes from business day to business day", (t) => {
  const [run] = cronInterval("@daily", { calendar: EGYPT }).runs({ from: new Date("2026-04-30T00:00:00Z"), count: 1 });
  t.deepEqual(run?.interval, { start: new Date("2026-04-30T00:00:00Z"), end: new Date("2026-05-03T00:00:00Z") });
});

test("what is no calendar is refused", (t) => {
  for (const holidays of [["2026-02-30"], ["13-01"], ["tomorrow"], ["2026-1-7"]])
    t.throws(() => calendar({ holidays }), { code: "DAG_INVALID", message: /is no date/ });
  const week = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"] as const;
  t.throws(() => calendar({ weekend: week }), { message: /whole week/ });
  t.throws(() => calendar({ weekend: ["Freitag" as "friday"] }), { message: /a day that is none/ });
  t.throws(() => cron("@daily", { onClosedDay: "skip" }), { message: /needs a calendar/ });
  t.true(calendar({ holidays: ["02-29"] }).isBusinessDay("2026-03-02"));
  t.false(EGYPT.isBusinessDay("2030-01-07"));
  t.true(EGYPT.isBusinessDay("2030-01-08"));
});

test("a schedule without a tick on a business day is refused, instead of searching for ever", (t) => {
  const days = Array.from({ length: 366 }, (_, i) => new Date(Date.UTC(2000, 0, 1 + i)).toISOString().slice(5, 10));
  for (const onClosedDay of ["skip", "nextBusinessDay"] as const) {
    const never = calendar({ holidays: days, weekend: [] });
    t.throws(() => cron("0 0 1 * *", { calendar: never, onClosedDay }), { code: "DAG_INVALID", message: /no tick/ });
  }
  t.throws(() => cron("0 7 * * 5", { calendar: EGYPT }), { message: /no tick of "0 7 \* \* 5"/ });
  t.deepEqual(
    ticks(cron("0 7 * * 5", { calendar: EGYPT, onClosedDay: "nextBusinessDay" }), "2026-05-01T00:00:00Z", 1),
    ["2026-05-03T07:00:00Z"],
  );
});

const expression = fc
  .tuple(
    fc.constantFrom("0", "30", "0,45"),
    fc.constantFrom("7", "0", "9,17", "*/8"),
    fc.constantFrom("*", "1", "1,15", "28-31"),
    fc.constant("*"),
    fc.constantFrom("*", "1", "0,3", "1-5", "4-6"),
  )
  .map((fields) => fields.join(" "));
const calendars = fc
  .record({
    weekend: fc.constantFrom<NonNullable<Parameters<typeof calendar>[0]["weekend"]>>(
      [],
      ["friday", "saturday"],
      ["saturday", "sunday"],
    ),
    holidays: fc.array(
      fc.integer({ min: 0, max: 119 }).map((n) => new Date(Date.UTC(2026, 2, 1 + n)).toISOString().slice(0, 10)),
    ),
  })
  .map(calendar);

/** Every raw tick of a UTC schedule, put where the rule puts it: by definition, day by day. */
function expected(raw: readonly number[], days: Calendar, rule: "skip" | "nextBusinessDay"): number[] {
  const open = (tick: number): boolean => days.isBusinessDay(new Date(tick).toISOString().slice(0, 10));
  const placed = raw.flatMap((tick) => {
    let at = tick;
    while (rule === "nextBusinessDay" && !open(at)) at += 86_400_000;
    return open(at) ? [at] : [];
  });
  return [...new Set(placed)].sort((a, b) => a - b);
}

test("ticks on a calendar are the raw ones, each where the rule puts it", (t) => {
  // The days before are open, so that nothing closed earlier comes in; what closes near the end comes after it.
  const from = Date.parse("2026-02-25T00:00:00Z");
  const until = Date.parse("2026-09-01T00:00:00Z");
  const judged = Date.parse("2026-06-20T00:00:00Z");
  const between = (spec: CronSpec, end: number): number[] => {
    const found: number[] = [];
    for (
      let run = nextRun(spec, new Date(from - 1));
      run && +run.logicalDate < end;
      run = nextRun(spec, run.logicalDate)
    )
      found.push(+run.logicalDate);
    return found;
  };
  fc.assert(
    fc.property(expression, calendars, fc.constantFrom("skip", "nextBusinessDay"), (text, days, onClosedDay) => {
      const wanted = expected(between(cron(text).spec, until), days, onClosedDay).filter((tick) => tick < judged);
      const found = between(cron(text, { calendar: days, onClosedDay }).spec, judged);
      return JSON.stringify(found) === JSON.stringify(wanted);
    }),
    { numRuns: 150 },
  );
  t.pass();
});

test("on a calendar, in every zone, ticks strictly increase and fall on business days", (t) => {
  const zones = fc.constantFrom("UTC", ...Intl.supportedValuesOf("timeZone"));
  const instants = fc.date({ min: new Date("2026-03-01"), max: new Date("2026-06-01"), noInvalidDate: true });
  fc.assert(
    fc.property(
      expression,
      zones,
      calendars,
      fc.constantFrom("skip", "nextBusinessDay"),
      instants,
      (text, timezone, days, onClosedDay, from) => {
        const spec: CronSpec = cron(text, { timezone, calendar: days, onClosedDay }).spec;
        const local = new Intl.DateTimeFormat("en-CA", {
          timeZone: timezone,
          year: "numeric",
          month: "2-digit",
          day: "2-digit",
        });
        let after = from;
        for (let i = 0; i < 4; i++) {
          const run = nextRun(spec, after);
          if (run === null || run.logicalDate <= after || !days.isBusinessDay(local.format(run.logicalDate)))
            return false;
          after = run.logicalDate;
        }
        return true;
      },
    ),
    { numRuns: 100 },
  );
  t.pass();
});

test("schedules read well", (t) => {
  const texts = [
    null,
    cron("@daily", { timezone: "Africa/Cairo" }).spec,
    cron("@daily", { calendar: EGYPT }).spec,
    every("PT1H30M").spec,
    once().spec,
    continuous().spec,
    onDatasets("lake.a").spec,
  ].map((spec) => [scheduleSummary(spec), scheduleDescription(spec)]);
  t.deepEqual(texts, [
    [null, "by hand"],
    ["@daily", "@daily (Africa/Cairo)"],
    ["@daily", "@daily (UTC), business days only"],
    ["every 1h 30m", "every 1h 30m"],
    ["@once", "once"],
    ["@continuous", "again as soon as a run has ended"],
    ["Dataset", "datasets (lake.a)"],
  ]);
});
