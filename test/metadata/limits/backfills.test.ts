import test from "ava";
import type { DagSpec } from "../../../src/dag/spec.ts";
import {
  type BackfillRequest,
  cancelBackfill,
  createBackfill,
  pauseBackfill,
  previewBackfill,
  resumeBackfill,
} from "../../../src/metadata/backfills.ts";
import { clearTasks } from "../../../src/metadata/clear.ts";
import type { Database } from "../../../src/metadata/database.ts";
import { createRun, pauseDag, unpauseDag } from "../../../src/metadata/runs.ts";
import { getBackfill } from "../../../src/metadata/views/backfill-views.ts";
import { finishAndClaim } from "../../../src/metadata/work.ts";
import { createBackfillRuns } from "../../../src/scheduler/backfill-runs.ts";
import { testDatabase } from "../../support/database.ts";
import { dagSpec, deploy, FAILED, success, work, worker } from "../fixtures.ts";

const DAILY = { kind: "cron", expression: "0 0 * * *", timezone: "UTC" } as const;
const day = (n: number) => new Date(Date.UTC(2026, 0, n));

function daily(given: Partial<DagSpec> = {}): DagSpec {
  return dagSpec("d", [{ id: "a" }], { schedule: DAILY, catchup: "none", ...given });
}

function request(given: Partial<BackfillRequest> = {}): BackfillRequest {
  return {
    dagId: "d",
    range: { from: day(1), to: day(5) },
    reprocess: "missing",
    maxActiveRuns: 2,
    by: "test",
    ...given,
  };
}

/** Days of January of the backfill's runs, in the order in which they were made. */
async function made(db: Database): Promise<number[]> {
  const found = await db.query<{ at: Date }>(
    "select logical_date as at from dag_run where kind = 'backfill' order by id",
  );
  return found.rows.map((row) => row.at.getUTCDate());
}

async function toItsEnd(db: Database): Promise<void> {
  for (let done = 1; done > 0; ) {
    await createBackfillRuns(db);
    done = (await work(db, () => success())).length;
  }
}

test("runs are made date by date, never more at once than it may have, and then it is over", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, daily({ maxActiveRuns: 1 }));
  const id = await createBackfill(db, request());
  await createBackfillRuns(db);
  await createBackfillRuns(db);
  t.deepEqual(await made(db), [1, 2]);
  t.like((await getBackfill(db, id)).progress, { dates: 5, pending: 3, running: 2 });
  await toItsEnd(db);
  t.deepEqual(await made(db), [1, 2, 3, 4, 5]);
  const over = await getBackfill(db, id);
  t.is(over.state, "completed");
  t.deepEqual(over.progress, { dates: 5, pending: 0, left_out: 0, queued: 0, running: 0, success: 5, failed: 0 });
  const [run] = (await db.query("select run_id, interval_start, interval_end, kind from dag_run order by id limit 1"))
    .rows;
  t.like(run, { run_id: `backfill__2026-01-01T00:00:00.000Z_${id}`, kind: "backfill", interval_start: day(1) });
});

test("what is missing, has failed, or all is done again; what runs is left alone; a preview says so and changes nothing", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, daily());
  for (const n of [2, 3]) await createRun(db, { dagId: "d", logicalDate: day(n), by: "test" });
  await work(db, (task) => (task.logicalDate?.startsWith("2026-01-02") ? FAILED : success()));
  await createRun(db, { dagId: "d", logicalDate: day(4), by: "test" });
  const outcomes = async (reprocess: BackfillRequest["reprocess"]) =>
    (await previewBackfill(db, request({ reprocess }))).map((date) => date.outcome);
  t.deepEqual(await outcomes("missing"), ["created", "exists", "exists", "in_flight", "created"]);
  t.deepEqual(await outcomes("failed"), ["created", "created", "exists", "in_flight", "created"]);
  t.deepEqual(await outcomes("all"), ["created", "created", "created", "in_flight", "created"]);
  t.is((await db.query("select from backfill")).rowCount, 0);
  await createBackfill(db, request({ reprocess: "failed", order: "backward", maxActiveRuns: 9 }));
  await createBackfillRuns(db);
  t.deepEqual(await made(db), [5, 2, 1]);
});

test("of overlapping periods of a DAG one backfill is under way, also when two ask at once", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, daily());
  const both = await Promise.allSettled([createBackfill(db, request()), createBackfill(db, request())]);
  t.deepEqual(both.map((one) => one.status).sort(), ["fulfilled", "rejected"]);
  const overlapping = request({ range: { dates: [day(5), day(9)] } });
  await t.throwsAsync(createBackfill(db, overlapping), { code: "CONFLICT" });
  await t.throwsAsync(previewBackfill(db, overlapping), { code: "CONFLICT" });
  await createBackfill(db, request({ range: { from: day(6), to: day(9) } }));
  await toItsEnd(db);
  await createBackfill(db, request());
});

test("live work is claimed before a backfill's, whatever the priorities, and has its own runs at once", async (t) => {
  const db = await testDatabase(t);
  await deploy(
    db,
    daily({ maxActiveRuns: 1, tasks: dagSpec("d", [{ id: "a", priority: 100 }]).tasks }),
    dagSpec("live", [{ id: "b" }]),
  );
  await createBackfill(db, request());
  await createBackfillRuns(db);
  await createRun(db, { dagId: "live", by: "test" });
  await createRun(db, { dagId: "d", runId: "mine", by: "test" });
  const { claimed } = await finishAndClaim(db, await worker(db), [], { functions: 9, operators: 0 });
  t.deepEqual(
    claimed.map((task) => (task.runId.startsWith("backfill") ? "backfill" : task.dagId)),
    ["d", "live", "backfill", "backfill"],
  );
});

test("a paused backfill, or one of a paused DAG, makes and starts no run until it goes on", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, daily());
  const id = await createBackfill(db, request());
  await pauseBackfill(db, id);
  t.is((await createBackfillRuns(db)).created, 0);
  await resumeBackfill(db, id);
  await pauseDag(db, "d");
  t.is((await createBackfillRuns(db)).created, 0);
  await unpauseDag(db, "d");
  t.is((await createBackfillRuns(db)).created, 2);
  await pauseBackfill(db, id);
  t.is((await work(db, () => success())).length, 2);
  t.is((await createBackfillRuns(db)).created, 0);
  t.is((await getBackfill(db, id)).state, "paused");
});

test("a cancelled backfill ends what has not started and makes no more; its running runs go on", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, daily());
  const id = await createBackfill(db, request());
  await createBackfillRuns(db);
  await db.query("update dag_run set state = 'queued' where logical_date = $1", [day(2)]);
  t.deepEqual(await cancelBackfill(db, id), { running: 1 });
  await t.throwsAsync(cancelBackfill(db, id), { code: "CONFLICT" });
  await t.throwsAsync(pauseBackfill(db, id), { code: "CONFLICT" });
  await t.throwsAsync(cancelBackfill(db, 99), { code: "NOT_FOUND" });
  await toItsEnd(db);
  const states = await db.query("select state from dag_run order by logical_date");
  t.deepEqual(
    states.rows.map((row) => row.state),
    ["success", "failed"],
  );
  t.like(await getBackfill(db, id), { state: "cancelled", progress: { pending: 0, success: 1, failed: 1 } });
});

test("a DAG that catches up on everything makes the runs of dates that are still to come itself", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, daily({ catchup: "all", start: day(1).toISOString() }));
  await db.query("update dag set scheduled_until = $1", [day(3)]);
  const outcomes = (await previewBackfill(db, request())).map((date) => date.outcome);
  t.deepEqual(outcomes, ["created", "created", "created", "scheduled", "scheduled"]);
});

test("conf is checked first, and a backfill whose conf fits a new version no more is paused and tells why", async (t) => {
  const db = await testDatabase(t);
  const params = { type: "object", properties: { n: { type: "number", default: 1 } } };
  await deploy(db, daily({ params }));
  await t.throwsAsync(createBackfill(db, request({ conf: { n: "x" } })), { code: "PARAMS_INVALID" });
  await t.throwsAsync(createBackfill(db, request({ range: { from: day(5), to: day(1) } })), { code: "USAGE" });
  await t.throwsAsync(createBackfill(db, request({ maxActiveRuns: 0 })), { code: "USAGE" });
  t.is((await db.query("select from backfill")).rowCount, 0);
  const id = await createBackfill(db, request({ conf: { n: 5 }, maxActiveRuns: 1 }));
  await createBackfillRuns(db);
  const [task] = await work(db, () => success());
  t.deepEqual(task?.params, { n: 5 });
  await deploy(db, daily({ params: { type: "object", properties: { n: { type: "string", default: "" } } } }));
  const { refused } = await createBackfillRuns(db);
  t.deepEqual(
    refused.map((one) => one.id),
    [id],
  );
  t.is((await getBackfill(db, id)).state, "paused");
});

test("two schedulers make every run once", async (t) => {
  const db = await testDatabase(t, { max: 12 });
  await deploy(db, daily());
  await createBackfill(db, request({ maxActiveRuns: 4 }));
  for (let round = 0; round < 3; round++) {
    await Promise.all([createBackfillRuns(db), createBackfillRuns(db), createBackfillRuns(db)]);
    t.true(((await db.query("select from dag_run where state = 'running'")).rowCount ?? 0) <= 4);
    await work(db, () => success());
  }
  t.deepEqual(await made(db), [1, 2, 3, 4, 5]);
});

test("a cleared run of a backfill that is over starts again", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, daily());
  await createBackfill(db, request({ range: { dates: [day(1)] } }));
  await toItsEnd(db);
  const [run] = (await db.query<{ run_id: string }>("select run_id from dag_run")).rows;
  await clearTasks(db, { dagId: "d", runId: run?.run_id ?? "", relatives: "none" });
  t.is((await work(db, () => success())).length, 1);
});
