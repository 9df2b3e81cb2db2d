import test from "ava";
import type { ClockSchedule } from "../../src/dag/timetable.ts";
import { nextTick, plan, SKIP_COUNT_LIMIT, type Timing } from "../../src/scheduler/plan.ts";

const HOURLY: ClockSchedule = { kind: "cron", expression: "0 * * * *", timezone: "UTC" };
const DAILY: ClockSchedule = { kind: "cronInterval", expression: "0 0 * * *", timezone: "UTC" };

function timing(given: Partial<Timing>): Timing {
  return {
    schedule: HOURLY,
    start: new Date("2026-01-01T00:00:00Z"),
    end: null,
    catchup: "latest",
    settledUntil: null,
    now: new Date("2026-01-01T05:00:30Z"),
    ...given,
  };
}

test("nothing is due before the first tick", (t) => {
  const start = new Date("2026-01-01T06:00:00Z");
  const result = plan(timing({ start }));
  t.is(result.run, null);
  t.deepEqual(result.next?.runAfter, start);
  t.is(result.settledUntil, null);
});

test("catchup all makes up for the oldest tick first", (t) => {
  const result = plan(timing({ catchup: "all" }));
  t.deepEqual(result.run?.logicalDate, new Date("2026-01-01T00:00:00Z"));
  t.is(result.skipped, 0);
  t.deepEqual(result.next?.logicalDate, new Date("2026-01-01T01:00:00Z"));
});

test("catchup latest takes the newest tick and tells how many it skips", (t) => {
  const result = plan(timing({}));
  t.deepEqual(result.run?.logicalDate, new Date("2026-01-01T05:00:00Z"));
  t.is(result.skipped, 5);
  t.deepEqual(result.next?.logicalDate, new Date("2026-01-01T06:00:00Z"));
});

test("catchup none takes a tick that has just come and skips one that was missed", (t) => {
  const punctual = plan(timing({ catchup: "none" }));
  t.deepEqual(punctual.run?.logicalDate, new Date("2026-01-01T05:00:00Z"));
  const late = plan(timing({ catchup: "none", now: new Date("2026-01-01T05:30:00Z") }));
  t.is(late.run, null);
  t.is(late.skipped, 6);
  t.deepEqual(late.settledUntil, new Date("2026-01-01T05:00:00Z"));
});

test("what is settled is never planned again", (t) => {
  const first = plan(timing({}));
  const again = plan(timing({ settledUntil: first.settledUntil }));
  t.is(again.run, null);
  t.deepEqual(again.next, first.next);
});

test("an interval runs when it is over", (t) => {
  const result = plan(timing({ schedule: DAILY, now: new Date("2026-01-03T00:00:00Z") }));
  t.deepEqual(result.run?.interval, { start: new Date("2026-01-02T00:00:00Z"), end: new Date("2026-01-03T00:00:00Z") });
  t.is(result.skipped, 1);
});

test("no tick after the end", (t) => {
  const end = new Date("2026-01-01T02:00:00Z");
  const result = plan(timing({ end }));
  t.deepEqual(result.run?.logicalDate, end);
  t.is(result.skipped, 2);
  t.is(result.next, null);
  t.is(nextTick(timing({ end, settledUntil: end })), null);
});

test("a schedule that was away for years jumps to its newest tick without walking there", (t) => {
  const result = plan(timing({ start: new Date("1990-01-01T00:00:00Z") }));
  t.deepEqual(result.run?.logicalDate, new Date("2026-01-01T05:00:00Z"));
  t.is(result.skipped, SKIP_COUNT_LIMIT);
});
