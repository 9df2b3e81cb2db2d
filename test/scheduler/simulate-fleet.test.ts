import test from "ava";
import fc from "fast-check";
import type { DagSpec, ScheduleSpec } from "../../src/dag/spec.ts";
import { EventQueue } from "../../src/scheduler/event-queue.ts";
import { loadByDag, loadByHour } from "../../src/scheduler/fleet-load.ts";
import { type SimulatedRun, simulateFleet } from "../../src/scheduler/simulate-fleet.ts";
import { dagSpec } from "../metadata/fixtures.ts";

const MINUTE = 60_000;
const FROM = new Date("2026-03-10T00:00:00Z");
const HOURS = 3;

function fleet(
  dags: readonly DagSpec[],
  durations: Record<string, number>,
  given: { to?: Date; maxRuns?: number } = {},
) {
  return simulateFleet({
    dags: dags.map((spec) => ({
      spec,
      durationMs: (durations[spec.dagId] ?? 1) * MINUTE,
      createdAt: new Date("2027-01-01T00:00:00Z"),
    })),
    from: FROM,
    to: given.to ?? new Date(FROM.getTime() + HOURS * 60 * MINUTE),
    maxRuns: given.maxRuns ?? 1000,
  });
}

const cron = (expression: string): ScheduleSpec => ({ kind: "cron", expression, timezone: "UTC" });
const minutes = (runs: readonly SimulatedRun[]): [string, number, number][] =>
  runs.map((run) => [run.dagId, (+run.startedAt - +FROM) / MINUTE, (+run.endedAt - +FROM) / MINUTE]);

test("ticks of the clock, each as long as expected", (t) => {
  const { runs, cut } = fleet([dagSpec("h", [{ id: "a" }], { schedule: cron("30 * * * *") })], { h: 5 });
  t.deepEqual(minutes(runs), [
    ["h", 30, 35],
    ["h", 90, 95],
    ["h", 150, 155],
  ]);
  t.false(cut);
  const interval = fleet(
    [dagSpec("i", [{ id: "a" }], { schedule: { ...cron("0 * * * *"), kind: "cronInterval" } as ScheduleSpec })],
    {},
  );
  t.deepEqual(
    minutes(interval.runs).map(([, start]) => start),
    [0, 60, 120],
  );
  t.deepEqual(interval.runs[0]?.logicalDate, new Date("2026-03-09T23:00:00Z"));
});

test("datasets: what one DAG's runs announce starts the next, down the line", (t) => {
  const on = (
    condition: Extract<ScheduleSpec, { kind: "datasets" }>["condition"],
    consume: "each" | "pending" | "partition",
  ): ScheduleSpec => ({ kind: "datasets", condition, consume });
  const { runs } = fleet(
    [
      dagSpec("a", [{ id: "t", emits: ["x"] }], { schedule: cron("0 1 * * *") }),
      dagSpec("b", [{ id: "t", emits: ["y"] }], { schedule: cron("20 1 * * *") }),
      dagSpec("c", [{ id: "t", emits: ["z"] }], {
        schedule: on({ all: [{ dataset: "x" }, { dataset: "y" }] }, "partition"),
      }),
      dagSpec("d", [{ id: "t" }], { schedule: on({ dataset: "z" }, "each") }),
    ],
    { a: 10, b: 15, c: 5, d: 1 },
  );
  t.deepEqual(minutes(runs), [
    ["a", 60, 70],
    ["b", 80, 95],
    ["c", 95, 100],
    ["d", 100, 101],
  ]);
});

test("a full DAG: ticks wait with catchup all, the newest stays with latest, and are lost with none", (t) => {
  const slow = (catchup: DagSpec["catchup"]) =>
    dagSpec("s", [{ id: "a" }], { schedule: cron("*/10 * * * *"), maxActiveRuns: 1, catchup });
  const all = fleet([slow("all")], { s: 25 });
  t.deepEqual(minutes(all.runs).slice(0, 3), [
    ["s", 0, 25],
    ["s", 25, 50],
    ["s", 50, 75],
  ]);
  t.is(all.runs[2]?.dueAt.getTime(), +FROM + 20 * MINUTE);
  t.deepEqual(all.skipped, {});
  const latest = fleet([slow("latest")], { s: 25 });
  t.is(latest.runs[1]?.logicalDate?.getTime(), +FROM + 20 * MINUTE);
  t.true((latest.skipped.s as number) > 0);
  const none = fleet([slow("none")], { s: 25 });
  t.deepEqual(
    minutes(none.runs)
      .slice(0, 3)
      .map(([, start]) => start),
    [0, 30, 60],
  );
});

test("continuous runs follow each other; once runs where its start lies in the period; start and end hold", (t) => {
  const { runs } = fleet(
    [
      dagSpec("c", [{ id: "a" }], {
        schedule: { kind: "continuous", spacingMs: 1000 },
        maxActiveRuns: 1,
        end: "2026-03-10T01:30:00.000Z",
      }),
      dagSpec("o", [{ id: "a" }], { schedule: { kind: "once" }, start: "2026-03-10T02:00:00.000Z" }),
      dagSpec("old", [{ id: "a" }], { schedule: { kind: "once" } }),
      dagSpec("hand", [{ id: "a" }]),
    ],
    { c: 40 },
  );
  t.deepEqual(minutes(runs), [
    ["c", 0, 40],
    ["c", 40, 80],
    ["c", 80, 120],
    ["o", 120, 121],
  ]);
});

test("datasets that go round in a circle end the simulation at its limit", (t) => {
  const ring = (id: string, from: string, to: string) =>
    dagSpec(id, [{ id: "t", emits: [to] }], {
      schedule: { kind: "datasets", condition: { dataset: from }, consume: "each" },
    });
  const start = dagSpec("start", [{ id: "t", emits: ["x"] }], { schedule: cron("0 1 * * *") });
  const made = fleet([start, ring("a", "x", "y"), ring("b", "y", "x")], { a: 0, b: 0 }, { maxRuns: 100 });
  t.is(made.runs.length, 100);
  t.true(made.cut);
});

test("by hour and by DAG: what starts, what is on at once, what waits", (t) => {
  const made = fleet(
    [
      dagSpec("a", [{ id: "t" }], { schedule: cron("30 0 * * *") }),
      dagSpec("b", [{ id: "t" }], { schedule: cron("45 0 * * *") }),
    ],
    { a: 60, b: 30 },
  );
  const to = new Date(+FROM + HOURS * 60 * MINUTE);
  t.deepEqual(
    loadByHour(made.runs, FROM, to).map(({ started, peak, mean }) => [started, peak, mean]),
    [
      [2, 2, 0.75],
      [0, 2, 0.75],
      [0, 0, 0],
    ],
  );
  t.like(loadByDag(made)[0], { dagId: "a", runs: 1, waited: 0, skipped: 0, busyMs: 60 * MINUTE });
  const full = fleet(
    [dagSpec("s", [{ id: "a" }], { schedule: cron("*/10 * * * *"), maxActiveRuns: 1, catchup: "all" })],
    { s: 25 },
  );
  t.like(loadByDag(full)[0], { waited: full.runs.length - 1 });
});

test("the queue gives what comes first, by rank and order where that is at one time", (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 1 }))), (entries) => {
      const queue = new EventQueue<number>();
      for (const [i, [at, rank]] of entries.entries()) queue.add(at, rank, i);
      const taken: number[] = [];
      for (let next = queue.take(); next; next = queue.take()) taken.push(next.value);
      const sorted = entries
        .map((entry, i) => [...entry, i] as const)
        .sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
      return JSON.stringify(taken) === JSON.stringify(sorted.map((entry) => entry[2]));
    }),
  );
  t.pass();
});

test("no DAG ever has more runs at once than it may, and none starts before it is due", (t) => {
  const schedule = fc.constantFrom(cron("*/7 * * * *"), cron("0 * * * *"), {
    kind: "every",
    milliseconds: 11 * MINUTE,
    anchor: null,
  } as const);
  const dags = fc.array(
    fc.record({
      schedule,
      catchup: fc.constantFrom("all" as const, "latest" as const, "none" as const),
      maxActiveRuns: fc.integer({ min: 1, max: 3 }),
      length: fc.integer({ min: 1, max: 60 }),
    }),
    { minLength: 1, maxLength: 3 },
  );
  fc.assert(
    fc.property(dags, (given) => {
      const specs = given.map(({ length: _, ...options }, i) => dagSpec(`d${i}`, [{ id: "a" }], options));
      const { runs } = fleet(specs, Object.fromEntries(given.map((one, i) => [`d${i}`, one.length])));
      return specs.every((spec) => {
        const own = runs.filter((run) => run.dagId === spec.dagId);
        return own.every((run) => {
          const besides = own.filter((other) => other.startedAt <= run.startedAt && other.endedAt > run.startedAt);
          return besides.length <= spec.maxActiveRuns && run.dueAt <= run.startedAt;
        });
      });
    }),
    { numRuns: 50 },
  );
  t.pass();
});
