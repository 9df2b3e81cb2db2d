import test from "ava";
import type { ClockSchedule } from "../../src/dag/timetable.ts";
import { LONGEST_BACKOFF_MS, nextTick, plan, SKIP_COUNT_LIMIT, type Timing } from "../../src/scheduler/plan.ts";

const HOURLY: ClockSchedule = { kind: "cron", expression: "0 * * * *", timezone: "UTC" };
const DAILY: ClockSchedule = { kind: "cronInterval", expression: "0 0 * * *", timezone: "UTC" };

function timing(given: Partial<Timing>): Timing {
  return {
    schedule: HOURLY,
    start: new Date("2026-01-01T00:00:00Z"),
    end: null,
    catchup: "latest",
    recent: { startedAt: null, failures: 0 },
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

const EVERY: ClockSchedule = { kind: "every", milliseconds: 900_000, anchor: "2026-01-01T00:07:00.000Z" };

test("a period ticks by elapsed time from its anchor", (t) => {
  const result = plan(timing({ schedule: EVERY, catchup: "all" }));
  t.deepEqual(result.run?.logicalDate, new Date("2026-01-01T00:07:00Z"));
  t.deepEqual(result.next?.logicalDate, new Date("2026-01-01T00:22:00Z"));
  t.deepEqual(plan(timing({ schedule: EVERY })).run?.logicalDate, new Date("2026-01-01T04:52:00Z"));
});

test("once: one run at the start, late or not, whatever catchup says, and never another", (t) => {
  const schedule: ClockSchedule = { kind: "once" };
  const early = plan(timing({ schedule, start: new Date("2026-01-01T06:00:00Z") }));
  t.is(early.run, null);
  t.deepEqual(early.next?.runAfter, new Date("2026-01-01T06:00:00Z"));
  const late = plan(timing({ schedule, catchup: "none" }));
  t.deepEqual(late.run?.logicalDate, new Date("2026-01-01T00:00:00Z"));
  t.is(late.next, null);
  t.is(nextTick(timing({ schedule, settledUntil: late.settledUntil })), null);
  t.is(plan(timing({ schedule, end: new Date("2025-12-31T00:00:00Z") })).run, null);
});

const CONTINUOUS: ClockSchedule = { kind: "continuous", spacingMs: 1000 };
const second = (n: number): Date => new Date(Date.parse("2026-01-01T05:00:00Z") + n * 1000);

test("continuous: the interval is the time since the run before, the first one's since the start", (t) => {
  const first = plan(timing({ schedule: CONTINUOUS, now: second(0) }));
  t.deepEqual(first.run?.interval, { start: new Date("2026-01-01T00:00:00Z"), end: second(0) });
  t.deepEqual(first.next?.runAfter, second(1));
  const recent = { startedAt: second(0), failures: 0 };
  const next = plan(timing({ schedule: CONTINUOUS, settledUntil: first.settledUntil, recent, now: second(90) }));
  t.deepEqual(next.run, {
    logicalDate: second(90),
    interval: { start: second(0), end: second(90) },
    runAfter: second(90),
  });
});

test("continuous: runs that fail at once start further and further apart, a long one that fails does not wait", (t) => {
  const wait = (failures: number, now: Date) =>
    plan(timing({ schedule: CONTINUOUS, settledUntil: second(0), recent: { startedAt: second(0), failures }, now }));
  t.deepEqual(wait(0, second(0)).next?.runAfter, second(1));
  const waits = [1, 2, 3, 4].map((failures) => wait(failures, second(0)).next?.runAfter);
  t.deepEqual(waits, [second(2), second(4), second(8), second(16)]);
  t.deepEqual(wait(60, second(0)).next?.runAfter, second(LONGEST_BACKOFF_MS / 1000));
  t.is(wait(3, second(7)).run, null);
  t.deepEqual(wait(3, second(8)).run?.logicalDate, second(8));
  t.deepEqual(wait(3, second(600)).run?.logicalDate, second(600));
});

test("continuous: none before the start, none after the end", (t) => {
  const start = new Date("2026-01-01T06:00:00Z");
  t.deepEqual(plan(timing({ schedule: CONTINUOUS, start })).next?.runAfter, start);
  const over = plan(timing({ schedule: CONTINUOUS, end: second(0), now: second(1) }));
  t.is(over.run, null);
  t.is(over.next, null);
});
