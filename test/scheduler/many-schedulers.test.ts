import test from "ava";
import { openDatabase } from "../../src/metadata/database.ts";
import { findViolations } from "../../src/metadata/invariants.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { type ClaimedTask, finishAndClaim } from "../../src/metadata/work.ts";
import { heartbeat } from "../../src/metadata/worker-sessions.ts";
import { Look } from "../../src/scheduler/scheduler.ts";
import { dagSpec, deploy, type Ending, FAILED, success, work, worker } from "../metadata/fixtures.ts";
import { testDatabase } from "../support/database.ts";

/** Makers announce an event; one task fails once. */
function endingOf(task: ClaimedTask): Ending {
  if (task.taskId === "make") return { state: "success", value: null, events: [{ dataset: "orders" }] };
  return task.dagId === "again" && task.taskId === "a" && task.tryNumber === 1 ? FAILED : success();
}

const SCHEDULERS = 5;
const CLOCK_DAGS = 30;

test("five schedulers at once do what one does: a run a tick, an event once, a retry once, lost work once, no limit overrun", async (t) => {
  const db = await testDatabase(t);
  const cron = { kind: "cron", expression: "0 0 * * *", timezone: "UTC" } as const;
  await deploy(
    db,
    ...Array.from({ length: CLOCK_DAGS }, (_, i) =>
      dagSpec(`clock_${i}`, [{ id: "make", emits: ["orders"] }], {
        schedule: cron,
        start: "2026-01-01T00:00:00.000Z",
        catchup: "latest",
      }),
    ),
    dagSpec("each", [{ id: "a" }], {
      schedule: { kind: "datasets", condition: { dataset: "orders" }, consume: "each" },
      maxActiveRuns: 10,
    }),
    dagSpec("one_at_a_time", [{ id: "a" }], { maxActiveRuns: 1 }),
    dagSpec("again", [
      { id: "a", retry: { retries: 1, delayMs: 0, factor: 1, maxMs: 0, jitter: "none" } },
      { id: "b", upstream: ["a"] },
    ]),
  );
  for (let i = 0; i < 6; i++) await createRun(db, { dagId: "one_at_a_time", by: "test" });
  await createRun(db, { dagId: "again", by: "test" });
  // A worker that took work and is gone.
  const gone = await worker(db, "elsewhere");
  await finishAndClaim(db, gone, [], { functions: 1, operators: 0 });
  await db.query("update worker set state = 'lost', ended_at = now() where worker_id = $1", [gone]);

  const warnings: string[] = [];
  const looks = Array.from({ length: SCHEDULERS }, () => {
    const own = openDatabase(db.url, {
      max: 3,
      applicationName: "qflow-scheduler",
      statementMs: 30_000,
      lockMs: 60_000,
    });
    t.teardown(() => own.close());
    return new Look(own, "another host", { warn: (message) => warnings.push(message) });
  });
  const overruns = "select from dag_run where dag_id = 'one_at_a_time' and state = 'running' having count(*) > 1";
  const workers = await Promise.all([worker(db), worker(db)]);
  const isOver = async () =>
    (await db.query("select from dag_run where state = 'success'")).rowCount === 2 * CLOCK_DAGS + 7;
  for (let round = 0; round < 40 && !(await isOver()); round++) {
    await Promise.all([
      ...looks.map((look) => look.once()),
      ...workers.map(async (workerId) => {
        await heartbeat(db, workerId);
        await work(db, endingOf, { workerId, batch: 4 });
      }),
    ]);
    t.is((await db.query(overruns)).rowCount, 0);
    // What waits is due at once.
    await db.query("update task_instance set wake_at = now() where state = 'up_for_retry'");
  }

  t.deepEqual(warnings, []);
  const runs = await db.query<{ dag: string; runs: number; over: number }>(
    `select split_part(dag_id, '_', 1) as dag, count(*)::int as runs, (count(*) filter (where state = 'success'))::int as over
     from dag_run group by 1 order by 1`,
  );
  t.deepEqual(runs.rows, [
    { dag: "again", runs: 1, over: 1 },
    { dag: "clock", runs: CLOCK_DAGS, over: CLOCK_DAGS },
    { dag: "each", runs: CLOCK_DAGS, over: CLOCK_DAGS },
    { dag: "one", runs: 6, over: 6 },
  ]);
  const consumed = await db.query("select event_id from dag_run_event");
  t.is(consumed.rowCount, CLOCK_DAGS);
  const tries = await db.query<{ tries: number }>(
    "select max(try_number)::int as tries from task_instance where dag_id = 'again'",
  );
  t.true((tries.rows[0]?.tries ?? 9) <= 3);
  t.deepEqual(await findViolations(db), []);
});
