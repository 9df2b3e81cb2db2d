import test from "ava";
import type { DagSpec } from "../../src/dag/spec.ts";
import type { Database } from "../../src/metadata/database.ts";
import { createRun, pauseDag, unpauseDag } from "../../src/metadata/runs.ts";
import { Look } from "../../src/scheduler/scheduler.ts";
import { dagSpec, deploy, type Ending, FAILED, success, work } from "../metadata/fixtures.ts";
import { testDatabase } from "../support/database.ts";

function look(db: Database): Look {
  return new Look(db, "host", { warn: (message) => Promise.reject(new Error(message)) });
}

interface RunRow {
  readonly state: string;
  readonly kind: string;
  readonly logical_date: Date;
  readonly interval_start: Date;
  readonly interval_end: Date;
}

async function runsOf(db: Database, dagId: string): Promise<RunRow[]> {
  const result = await db.query<RunRow>("select * from dag_run where dag_id = $1 order by id", [dagId]);
  return result.rows;
}

/** Lets time pass: everything that has happened is that much longer ago. */
async function later(db: Database, seconds: number): Promise<void> {
  await db.query(
    `update dag_run set started_at = started_at - make_interval(secs => $1), logical_date = logical_date - make_interval(secs => $1),
       interval_start = interval_start - make_interval(secs => $1), interval_end = interval_end - make_interval(secs => $1)`,
    [seconds],
  );
  await db.query(
    `update dag set next_run_after = next_run_after - make_interval(secs => $1),
       scheduled_until = scheduled_until - make_interval(secs => $1)`,
    [seconds],
  );
}

function continuous(given: Partial<DagSpec> = {}): DagSpec {
  const schedule = { kind: "continuous", spacingMs: 1000 } as const;
  return dagSpec("c", [{ id: "a" }], { schedule, maxActiveRuns: 1, ...given });
}

async function done(db: Database, ending: Ending): Promise<void> {
  await work(db, () => ending);
}

test("a continuous DAG's next run comes when the last one has ended, and takes over where that began", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, continuous());
  await Promise.all([look(db).once(), look(db).once()]);
  await later(db, 30);
  await Promise.all([look(db).once(), look(db).once()]);
  t.is((await runsOf(db, "c")).length, 1, "the first is still running");
  await done(db, success());
  await Promise.all([look(db).once(), look(db).once(), look(db).once()]);
  const [first, second, ...others] = await runsOf(db, "c");
  t.deepEqual(others, []);
  t.is(second?.state, "running");
  t.deepEqual(second?.interval_start, first?.interval_end);
  t.deepEqual(second?.interval_end, second?.logical_date);
  t.true((second as RunRow).logical_date > (first as RunRow).logical_date);
});

test("continuous runs that fail at once are made further and further apart, until one succeeds", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, continuous());
  for (const [failures, ending, waitSeconds] of [
    [0, FAILED, 2],
    [1, FAILED, 4],
    [2, FAILED, 8],
    [3, success(), 1],
    [3, FAILED, 2],
  ] as const) {
    await look(db).once();
    await done(db, ending);
    t.like((await runsOf(db, "c")).at(-1), { state: ending.state }, `${failures} before`);
    // However long that took: the run has only just started, so the next is still to come.
    await db.query("update dag_run set started_at = now() + interval '1 hour'");
    await db.query("update dag set next_run_after = now()");
    await look(db).once();
    const next = await db.query(
      `select extract(epoch from d.next_run_after - r.started_at)::integer as s from dag d, dag_run r
       where d.dag_id = r.dag_id order by r.id desc limit 1`,
    );
    t.is(next.rows[0]?.s, waitSeconds);
    await db.query("update dag_run set started_at = now() - interval '1 hour'");
    await db.query("update dag set next_run_after = now()");
  }
  t.is((await runsOf(db, "c")).length, 5);
});

test("the look tells when the next tick is due, so that its run is punctual", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, continuous());
  await look(db).once();
  await db.query("update dag set next_run_after = now() + interval '30 s'");
  const { waitMs } = await new Look(db, "host", { pollMs: 60_000 }).once();
  t.true(waitMs <= 30_000, `${waitMs}`);
});

test("a continuous DAG rests while paused, and while somebody's own run is on", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, continuous());
  await pauseDag(db, "c");
  await look(db).once();
  t.is((await runsOf(db, "c")).length, 0);
  await unpauseDag(db, "c");
  await createRun(db, { dagId: "c", by: "test" });
  await look(db).once();
  t.deepEqual(
    (await runsOf(db, "c")).map((run) => run.kind),
    ["manual"],
  );
  await done(db, success());
  await look(db).once();
  t.deepEqual(
    (await runsOf(db, "c")).map((run) => run.kind),
    ["manual", "scheduled"],
  );
});

test("a changed schedule of a DAG that is full makes no run beyond its limit", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, continuous());
  await look(db).once();
  await deploy(db, continuous({ schedule: { kind: "continuous", spacingMs: 2000 } }));
  await later(db, 60);
  await look(db).once();
  t.is((await runsOf(db, "c")).length, 1);
});

test("once: one run, whoever looks and however often the file changes", async (t) => {
  const db = await testDatabase(t);
  const once = dagSpec("o", [{ id: "a" }], {
    schedule: { kind: "once" },
    start: "2026-01-01T00:00:00.000Z",
    catchup: "none",
  });
  await deploy(db, once);
  await Promise.all([look(db).once(), look(db).once(), look(db).once()]);
  await done(db, success());
  await deploy(db, { ...once, tasks: dagSpec("o", [{ id: "a" }, { id: "b" }]).tasks });
  await look(db).once();
  const runs = await runsOf(db, "o");
  t.deepEqual(
    runs.map((run) => run.logical_date.toISOString()),
    ["2026-01-01T00:00:00.000Z"],
  );
});

test("a DAG that ticked by the clock and now runs once gets that run", async (t) => {
  const db = await testDatabase(t);
  const hourly = { kind: "every", milliseconds: 3_600_000, anchor: null } as const;
  await deploy(db, dagSpec("o", [{ id: "a" }], { schedule: hourly, start: "2026-01-01T00:30:00.000Z" }));
  await look(db).once();
  await deploy(db, dagSpec("o", [{ id: "a" }], { schedule: { kind: "once" }, start: "2026-01-01T00:30:00.000Z" }));
  await look(db).once();
  await look(db).once();
  const dates = (await runsOf(db, "o")).map((run) => run.logical_date.toISOString());
  t.is(dates.length, 2);
  t.is(dates[1], "2026-01-01T00:30:00.000Z");
});

test("nothing runs before its start or after its end", async (t) => {
  const db = await testDatabase(t);
  const minutely = { kind: "every", milliseconds: 60_000, anchor: null } as const;
  const future = new Date(Date.now() + 3_600_000).toISOString();
  await deploy(
    db,
    dagSpec("early", [{ id: "a" }], { schedule: minutely, start: future, catchup: "all" }),
    dagSpec("over", [{ id: "a" }], {
      schedule: minutely,
      start: "2026-01-01T00:00:00.000Z",
      end: "2026-01-01T00:02:00.000Z",
      catchup: "all",
    }),
  );
  await look(db).once();
  t.deepEqual(await runsOf(db, "early"), []);
  t.is((await runsOf(db, "over")).length, 3);
  const next = await db.query("select next_run_after from dag order by dag_id");
  t.true(next.rows[0]?.next_run_after >= new Date(future));
  t.is(next.rows[1]?.next_run_after, null);
});
