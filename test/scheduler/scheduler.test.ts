import test from "ava";
import type { DagSpec } from "../../src/dag/spec.ts";
import type { Database } from "../../src/metadata/database.ts";
import { createRun, pauseDag, unpauseDag } from "../../src/metadata/runs.ts";
import { storeVersions } from "../../src/metadata/versions.ts";
import { finishAndClaim } from "../../src/metadata/work.ts";
import { Look, startScheduler } from "../../src/scheduler/scheduler.ts";
import { dagSpec, deploy, type Ending, FAILED, fileOf, success, work, worker } from "../metadata/fixtures.ts";
import { testDatabase } from "../support/database.ts";

const MINUTELY: DagSpec["schedule"] = { kind: "cron", expression: "* * * * *", timezone: "UTC" };

function look(db: Database): Look {
  return new Look(db, "host", { warn: (message) => Promise.reject(new Error(message)) });
}

/** Ticks so far apart that none comes while a test runs. */
const DAILY: DagSpec["schedule"] = { kind: "cron", expression: "0 0 * * *", timezone: "UTC" };

function daysAgo(n: number): string {
  return new Date(Math.floor(Date.now() / 86_400_000 - n) * 86_400_000).toISOString();
}

function minutesAgo(n: number): string {
  return new Date(Math.floor(Date.now() / 60_000 - n) * 60_000).toISOString();
}

interface RunRow {
  readonly run_id: string;
  readonly kind: string;
  readonly state: string;
  readonly conf: unknown;
  readonly logical_date: Date | null;
}

async function runsOf(db: Database, dagId: string): Promise<RunRow[]> {
  const result = await db.query<RunRow>(
    "select run_id, kind, state, conf, logical_date from dag_run where dag_id = $1 order by id",
    [dagId],
  );
  return result.rows;
}

test("five schedulers at once create every tick exactly once", async (t) => {
  const db = await testDatabase(t, { max: 12 });
  const given = { schedule: MINUTELY, catchup: "all", start: minutesAgo(30), maxActiveRuns: 1000 } as const;
  await deploy(db, ...[1, 2, 3].map((n) => dagSpec(`d${n}`, [{ id: "a" }], given)));
  await Promise.all([1, 2, 3, 4, 5].map(() => look(db).once()));
  await look(db).once();
  for (const dagId of ["d1", "d2", "d3"]) {
    const dates = (await runsOf(db, dagId)).map((run) => run.logical_date?.getTime() ?? 0);
    t.true(dates.length >= 31, `${dates.length}`);
    t.is(new Set(dates).size, dates.length);
    t.true(
      dates.every((date, i) => i === 0 || date === (dates[i - 1] ?? 0) + 60_000),
      "no gap, in order",
    );
  }
});

test("missed ticks are made up for only up to max_active_runs at a time", async (t) => {
  const db = await testDatabase(t);
  await deploy(
    db,
    dagSpec("d", [{ id: "a" }], { schedule: MINUTELY, catchup: "all", start: minutesAgo(5), maxActiveRuns: 2 }),
  );
  await look(db).once();
  t.is((await runsOf(db, "d")).length, 2);
  await work(db, () => success());
  await look(db).once();
  t.is((await runsOf(db, "d")).length, 4);
});

test("catchup latest creates one run and shows how many ticks it skipped", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }], { schedule: DAILY, start: daysAgo(10) }));
  await look(db).once();
  t.is((await runsOf(db, "d")).length, 1);
  const dag = await db.query("select skipped_ticks::integer as n, next_run_after > now() as ahead from dag");
  t.true(dag.rows[0]?.ahead);
  t.is(dag.rows[0]?.n, 10);
});

test("a paused DAG gets no runs, and shows when its next would be", async (t) => {
  const db = await testDatabase(t);
  const start = daysAgo(3);
  await storeVersions(db, [fileOf("f.ts", [dagSpec("d", [{ id: "a" }], { schedule: DAILY, start })])]);
  await look(db).once();
  t.deepEqual(await runsOf(db, "d"), []);
  const dag = await db.query("select next_run_after from dag");
  t.deepEqual(dag.rows[0]?.next_run_after, new Date(start));
  await unpauseDag(db, "d");
  await look(db).once();
  t.is((await runsOf(db, "d")).length, 1);
});

test("a schedule that cannot be computed stops its own DAG alone", async (t) => {
  const db = await testDatabase(t);
  const broken: DagSpec["schedule"] = { kind: "cron", expression: "not a schedule", timezone: "UTC" };
  await deploy(
    db,
    dagSpec("broken", [{ id: "a" }], { schedule: broken }),
    dagSpec("fine", [{ id: "a" }], { schedule: MINUTELY, start: minutesAgo(1) }),
  );
  const warnings: string[] = [];
  await new Look(db, "host", { warn: (message) => warnings.push(message) }).once();
  t.is((await runsOf(db, "fine")).length, 1);
  t.regex(warnings.join(), /DAG broken cannot be scheduled/);
});

function producer(dagId: string): DagSpec {
  return dagSpec(dagId, [{ id: "emit", emits: ["feed"] }]);
}

function consumer(consume: "each" | "pending", given: Partial<DagSpec> = {}): DagSpec {
  return dagSpec("consumer", [{ id: "take" }], {
    schedule: { kind: "datasets", condition: { dataset: "feed" }, consume },
    ...given,
  });
}

async function emit(db: Database, ...keys: string[]): Promise<void> {
  await createRun(db, { dagId: "producer", by: "test" });
  await work(db, () => ({
    state: "success",
    value: null,
    events: keys.map((key) => ({ dataset: "feed", key, extra: { key } })),
  }));
}

test("each event starts one run, in order, with its extra as conf, and none is lost at one active run or while paused", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, producer("producer"), consumer("each", { maxActiveRuns: 1 }));
  await emit(db, "1", "2");
  await look(db).once();
  t.is((await runsOf(db, "consumer")).length, 1);
  await pauseDag(db, "consumer");
  await emit(db, "3");
  // A repeated key is no event.
  await emit(db, "2");
  await unpauseDag(db, "consumer");
  for (let i = 0; i < 5; i++) {
    await work(db, () => success());
    await Promise.all([look(db).once(), look(db).once()]);
  }
  const runs = await runsOf(db, "consumer");
  t.deepEqual(
    runs.map((run) => [run.kind, run.conf]),
    ["1", "2", "3"].map((key) => ["dataset", { key }]),
  );
});

test("pending events go into one run, and the task is told of them", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, producer("producer"), consumer("pending", { maxActiveRuns: 1 }));
  await emit(db, "1", "2");
  await emit(db, "3");
  await look(db).once();
  t.is((await runsOf(db, "consumer")).length, 1);
  const [task] = await work(db, () => success());
  t.deepEqual(
    task?.events.map((event) => event.extra),
    ["1", "2", "3"].map((key) => ({ key })),
  );
  await look(db).once();
  t.is((await runsOf(db, "consumer")).length, 1);
});

test("an event before the consumer was known is not its own", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, producer("producer"));
  await emit(db, "1");
  await deploy(db, producer("producer"), consumer("each"));
  await look(db).once();
  t.deepEqual(await runsOf(db, "consumer"), []);
});

test("a retry is queued when its wait is over, and the look tells when the next is due", async (t) => {
  const db = await testDatabase(t);
  const retry = { retries: 1, delayMs: 60_000, factor: 1, maxMs: 60_000, jitter: "none" } as const;
  await deploy(db, dagSpec("d", [{ id: "a", retry }]));
  await createRun(db, { dagId: "d", by: "test" });
  let ending: Ending = FAILED;
  t.is((await work(db, () => ending)).length, 1);
  await look(db).once();
  t.is((await work(db, () => ending)).length, 0, "not due yet");
  await db.query("update task_instance set wake_at = now() + interval '30 s'");
  t.true((await new Look(db, "host", { pollMs: 60_000 }).once()).waitMs <= 30_000);
  await db.query("update task_instance set wake_at = now()");
  await look(db).once();
  ending = success();
  const [second] = await work(db, () => ending);
  t.is(second?.tryNumber, 2);
  t.is((await runsOf(db, "d"))[0]?.state, "success");
});

test("work of a worker whose process is gone is given to others at once", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }]));
  await createRun(db, { dagId: "d", by: "test" });
  // The process of this session never had start time 1.
  const dead = await worker(db, "host");
  const { claimed } = await finishAndClaim(db, dead, [], { functions: 1, operators: 0 });
  t.is(claimed.length, 1);
  await look(db).once();
  await db.query("update task_instance set wake_at = now() where state = 'up_for_retry'");
  await look(db).once();
  const [again] = await work(db, () => success());
  t.is(again?.tryNumber, 2);
  t.is((await runsOf(db, "d"))[0]?.state, "success");
});

test("a scheduler survives its connections being cut", async (t) => {
  const db = await testDatabase(t);
  const scheduler = await startScheduler(db, { pollMs: 50, warn: () => {} });
  await deploy(db, dagSpec("d", [{ id: "a" }], { schedule: MINUTELY, start: minutesAgo(1) }));
  for (let i = 0; i < 5; i++) {
    await db.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
  }
  await t.notThrowsAsync(async () => {
    while ((await runsOf(db, "d").catch(() => [])).length === 0)
      await new Promise((resolve) => setTimeout(resolve, 20));
  });
  await scheduler.stop();
});

test("a flood of events of one dataset does not hide those of another from a consumer that needs both", async (t) => {
  const db = await testDatabase(t);
  const condition = { all: [{ dataset: "often" }, { dataset: "seldom" }] };
  await deploy(db, dagSpec("c", [{ id: "a" }], { schedule: { kind: "datasets", condition, consume: "pending" } }));
  await db.query("insert into dataset_event (dataset, key) select 'often', n::text from generate_series(1, 10001) n");
  await db.query("insert into dataset_event (dataset, key) values ('seldom', '1')");
  await look(db).once();
  t.is((await runsOf(db, "c")).length, 1);
});

test("a run that cannot be started does not hold up those of other DAGs", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("bad", [{ id: "a" }]), dagSpec("good", [{ id: "a" }]));
  for (const dagId of ["bad", "good"]) {
    await pauseDag(db, dagId);
    await createRun(db, { dagId, by: "test" });
  }
  await db.query("update dag set paused = false");
  await db.query(
    `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no start'; end $$;
     create trigger refuse before update on dag_run for each row when (new.dag_id = 'bad') execute function refuse()`,
  );
  const warnings: string[] = [];
  await new Look(db, "host", { warn: (message) => warnings.push(message) }).once();
  t.deepEqual(warnings, ["runs of DAG bad cannot be started: no start"]);
  t.is((await runsOf(db, "good"))[0]?.state, "running");
  t.is((await runsOf(db, "bad"))[0]?.state, "queued");
});
