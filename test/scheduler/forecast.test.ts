import test from "ava";
import type { DagSpec } from "../../src/dag/spec.ts";
import type { ClockSchedule } from "../../src/dag/timetable.ts";
import type { Database } from "../../src/metadata/database.ts";
import { createRun, pauseDag, unpauseDag } from "../../src/metadata/runs.ts";
import { comingRuns, dueRuns } from "../../src/scheduler/forecast.ts";
import type { Timing } from "../../src/scheduler/plan.ts";
import { Look } from "../../src/scheduler/scheduler.ts";
import { previewUnpause } from "../../src/scheduler/unpause.ts";
import { dagSpec, deploy, success, work } from "../metadata/fixtures.ts";
import { testDatabase } from "../support/database.ts";

const HOURLY: ClockSchedule = { kind: "cron", expression: "0 * * * *", timezone: "UTC" };

function timing(given: Partial<Timing>): Timing {
  return {
    schedule: HOURLY,
    start: new Date("2026-01-01T00:00:00Z"),
    end: null,
    catchup: "latest",
    settledUntil: null,
    recent: { startedAt: null, failures: 0 },
    now: new Date("2026-01-01T05:00:30Z"),
    ...given,
  };
}

const hours = (runs: readonly { logicalDate: Date }[]): number[] => runs.map((run) => run.logicalDate.getUTCHours());

test("what is due: all of it, the latest, or nothing, as catchup says", (t) => {
  const all = dueRuns(timing({ catchup: "all" }), 3);
  t.deepEqual(hours(all.runs), [0, 1, 2]);
  t.is(all.total, 6);
  const latest = dueRuns(timing({}), 3);
  t.deepEqual([hours(latest.runs), latest.total, latest.skipped], [[5], 1, 5]);
  const none = dueRuns(timing({ catchup: "none", now: new Date("2026-01-01T05:30:00Z") }), 3);
  t.deepEqual([none.runs, none.total, none.skipped], [[], 0, 6]);
});

test("what comes is after now and before the end, whatever is due", (t) => {
  for (const catchup of ["all", "latest", "none"] as const) {
    t.deepEqual(hours(comingRuns(timing({ catchup }), 3)), [6, 7, 8]);
    t.deepEqual(hours(comingRuns(timing({ catchup, end: new Date("2026-01-01T07:00:00Z") }), 3)), [6, 7]);
  }
  const start = new Date("2026-01-02T10:30:00Z");
  t.deepEqual(hours(comingRuns(timing({ start }), 2)), [11, 12]);
  t.deepEqual(
    comingRuns(timing({ schedule: { kind: "once" }, start }), 2).map((run) => run.runAfter),
    [start],
  );
  t.deepEqual(comingRuns(timing({ schedule: { kind: "once" } }), 2), [], "it is due, so it is not to come");
  t.deepEqual(comingRuns(timing({ schedule: { kind: "continuous", spacingMs: 1000 } }), 2), []);
});

const countOf = async (db: Database, dagId: string): Promise<number> =>
  Number((await db.query("select count(*) as n from dag_run where dag_id = $1", [dagId])).rows[0]?.n);

async function paused(db: Database, ...dags: DagSpec[]): Promise<void> {
  await deploy(db, ...dags);
  for (const { dagId } of dags) await pauseDag(db, dagId);
}

test("un-pausing does what its preview says", async (t) => {
  const db = await testDatabase(t);
  const daily = { kind: "every", milliseconds: 86_400_000, anchor: null } as const;
  const start = new Date(Math.floor(Date.now() / 86_400_000 - 4) * 86_400_000).toISOString();
  const given = { schedule: daily, start };
  await paused(
    db,
    dagSpec("all", [{ id: "a" }], { ...given, catchup: "all" }),
    dagSpec("latest", [{ id: "a" }], { ...given, catchup: "latest" }),
    dagSpec("none", [{ id: "a" }], { ...given, catchup: "none" }),
    dagSpec("hand", [{ id: "a" }]),
  );
  await createRun(db, { dagId: "hand", by: "test" });
  for (const [dagId, created, skipped, queued] of [
    ["all", 5, 0, 0],
    ["latest", 1, 4, 0],
    ["none", 0, 5, 0],
    ["hand", 0, 0, 1],
  ] as const) {
    const preview = await previewUnpause(db, dagId);
    t.like(preview, { paused: true, created, skipped, queued }, dagId);
    t.is(preview.runs.length, created);
    t.is(await countOf(db, dagId), queued, "a preview makes nothing");
    await unpauseDag(db, dagId);
    await new Look(db, "host").once();
    t.is(await countOf(db, dagId), created + queued, dagId);
  }
  await t.throwsAsync(previewUnpause(db, "nope"), { message: /was not found/ });
});

test("un-pausing a consumer of datasets does what its preview says", async (t) => {
  const db = await testDatabase(t);
  const both = { all: [{ dataset: "a" }, { dataset: "b" }] };
  const consumer = (dagId: string, schedule: NonNullable<DagSpec["schedule"]>) =>
    dagSpec(dagId, [{ id: "x" }], { schedule });
  await paused(
    db,
    consumer("each", { kind: "datasets", condition: { dataset: "a" }, consume: "each" }),
    consumer("pending", { kind: "datasets", condition: both, consume: "pending" }),
    consumer("partition", { kind: "datasets", condition: both, consume: "partition" }),
    dagSpec("producer", [{ id: "emit" }]),
  );
  await unpauseDag(db, "producer");
  await createRun(db, { dagId: "producer", by: "test" });
  const event = (dataset: string, partition: string) => ({ dataset, partition });
  const events = [event("a", "1"), event("a", "2"), event("a", "3"), event("b", "2"), event("b", "3")];
  await work(db, () => ({ ...success(), events }));
  for (const [dagId, created] of [
    ["each", 3],
    ["pending", 1],
    ["partition", 2],
  ] as const) {
    t.is((await previewUnpause(db, dagId)).created, created, dagId);
    await unpauseDag(db, dagId);
    await new Look(db, "host").once();
    t.is(await countOf(db, dagId), created, dagId);
  }
});
