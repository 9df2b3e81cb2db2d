import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { dag } from "../../src/dag/dag.ts";
import { answerApproval, listApprovals } from "../../src/metadata/approvals.ts";
import { findViolations } from "../../src/metadata/invariants.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { approval, datasetSensor, fileSensor, taskSensor, timeSensor } from "../../src/operators/index.ts";
import { WaitLook } from "../../src/scheduler/wait-look.ts";
import { deploy, statesOf, success, work } from "../metadata/fixtures.ts";
import { bench, logOf, waitOf, xcomOf } from "./wait-bench.ts";

const AT = new Date("2026-03-01T00:00:00Z");

test("a time that is past is no wait; one to come is slept until, with references and an offset", async (t) => {
  const { db, settle } = await bench(t);
  const spec = dag("d", {}, (d) => {
    d.sensor("past", timeSensor({ at: d.run.logicalDate, plus: "2h" }));
    d.sensor("far", timeSensor({ at: "2999-01-01T00:00:00Z" }), { timeout: "2h" });
  }).spec;
  await deploy(db, spec);
  const run = await createRun(db, { dagId: "d", logicalDate: AT, by: "test" });
  await settle();
  t.deepEqual((await statesOf(db, run.id)).tasks, { past: "success", far: "deferred" });
  t.deepEqual(await xcomOf(db, "past"), { until: "2026-03-01T02:00:00.000Z" });
  const wait = await waitOf(db);
  t.is(wait?.note, "waits until 2999-01-01T00:00:00.000Z");
  // Its timeout comes first.
  t.true(wait?.at_deadline);
});

test("a wait that comes to its deadline is checked once more, then fails with what was last seen, or is skipped", async (t) => {
  const { db, settle, due } = await bench(t);
  const never = fileSensor({ path: "/nowhere/at/all" });
  const spec = dag("d", {}, (d) => {
    d.sensor("fails", never, { timeout: "1h" });
    d.sensor("skips", never, { timeout: "1h", onTimeout: "skip" });
  }).spec;
  await deploy(db, spec);
  const run = await createRun(db, { dagId: "d", by: "test" });
  await settle();
  await db.query("update task_wait set deadline = now()");
  await due();
  await settle();
  t.deepEqual((await statesOf(db, run.id)).tasks, { fails: "failed", skips: "skipped" });
  const error = await db.query("select error from task_attempt where error is not null");
  t.is(error.rows[0]?.error.code, "SENSOR_TIMEOUT");
  t.regex(error.rows[0]?.error.message, /it waited 60 min; last seen: 0 of \/nowhere\/at\/all/);
  t.is((await logOf(db, "fails")).at(-1), error.rows[0]?.error.message);
});

test("files are waited for by pattern, number, size and calm; the log says only what is new", async (t) => {
  const { db, settle, due } = await bench(t);
  const folder = await mkdtemp(join(tmpdir(), "qflow-files-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const files = fileSensor({ path: `${folder}/*.csv`, files: 2, minBytes: 3 });
  const calm = fileSensor({ path: `${folder}/a.csv`, stableSeconds: 3600 });
  const spec = dag("d", {}, (d) => {
    d.sensor("two", files, { every: "30s" });
    d.sensor("calm", calm);
  }).spec;
  await deploy(db, spec);
  const run = await createRun(db, { dagId: "d", by: "test" });
  await settle();
  await due();
  await settle();
  await writeFile(join(folder, "a.csv"), "abc");
  await writeFile(join(folder, "b.csv"), "x");
  await due();
  await settle();
  t.deepEqual((await statesOf(db, run.id)).tasks, { two: "deferred", calm: "deferred" });
  await writeFile(join(folder, "b.csv"), "xyz!");
  await due();
  await settle();
  t.deepEqual((await statesOf(db, run.id)).tasks, { two: "success", calm: "deferred" });
  const value = (await xcomOf(db, "two")) as { path: string; bytes: number }[];
  t.deepEqual(
    value.map(({ path, bytes }) => [path, bytes]),
    [
      [join(folder, "a.csv"), 3],
      [join(folder, "b.csv"), 4],
    ],
  );
  t.deepEqual((await logOf(db, "two")).slice(0, 3), [
    `waits for 2 files ${folder}/*.csv`,
    `0 of 2 files ${folder}/*.csv`,
    `1 of 2 files ${folder}/*.csv, 1 too small or still being written`,
  ]);
});

test("the event of a dataset ends the wait for it at once, and starts what comes after", async (t) => {
  const { db, settle } = await bench(t);
  const consumer = dag("consumer", {}, (d) => {
    const seen = d.sensor("seen", datasetSensor({ dataset: "lake.orders" }), { emits: ["lake.seen"] });
    d.task("after", { in: { seen } }, ({ seen: event }) => event.key);
  }).spec;
  const producer = dag("producer", {}, (d) => {
    d.task("write", { emits: ["lake.orders"] }, () => 1);
  }).spec;
  await db.query(
    "insert into dataset_event (dataset, key, at) values ('lake.orders', 'old', now() - interval '1 day')",
  );
  await deploy(db, consumer, producer);
  const run = await createRun(db, { dagId: "consumer", by: "test" });
  await settle();
  t.is((await statesOf(db, run.id)).tasks.seen, "deferred");
  await createRun(db, { dagId: "producer", by: "test" });
  await work(db, (task) => ({
    ...success(),
    events: [{ dataset: "lake.orders", key: "new", extra: { n: task.tryNumber } }],
  }));
  await settle();
  t.is((await statesOf(db, run.id)).tasks.seen, "success");
  t.like(await xcomOf(db, "seen"), { dataset: "lake.orders", key: "new", extra: { n: 1 } });
  const [after] = await work(db, () => success());
  t.like(after?.inputs.seen as object, { key: "new" });
  t.is((await db.query("select from dataset_event where dataset = 'lake.seen'")).rowCount, 1);
});

test("a run of another DAG is waited for by its logical date, and wakes the wait when it ends", async (t) => {
  const { db, settle } = await bench(t);
  const other = dag("other", {}, (d) => {
    d.task("load", () => 1);
    d.task("check", () => 2);
  }).spec;
  const waiting = dag("waiting", {}, (d) => {
    d.sensor("run", taskSensor({ dag: "other", before: "1d" }));
    d.sensor("task", taskSensor({ dag: "other", task: "load", before: "1d" }));
    d.sensor("bad", taskSensor({ dag: "other", task: "check", before: "1d" }));
    d.sensor("either", taskSensor({ dag: "other", task: "check", before: "1d", states: ["success", "failed"] }));
  }).spec;
  await deploy(db, other, waiting);
  const run = await createRun(db, { dagId: "waiting", logicalDate: AT, by: "test" });
  await settle();
  t.like(await waitOf(db), { note: "there is no run of other at 2026-02-28T00:00:00.000Z" });
  await createRun(db, { dagId: "other", logicalDate: new Date("2026-02-28T00:00:00Z"), runId: "r", by: "test" });
  await work(db, (task) =>
    task.taskId === "check"
      ? { state: "failed", retry: "fatal", error: { code: "TASK_FAILED", message: "no", remedy: "-" } }
      : success(),
  );
  await settle();
  t.deepEqual((await statesOf(db, run.id)).tasks, { run: "failed", task: "success", bad: "failed", either: "success" });
  t.deepEqual(await xcomOf(db, "either"), { dagId: "other", runId: "r", state: "failed" });
  t.regex((await logOf(db, "bad")).join("\n"), /SENSOR_FAILED: task check of other .* \(run r\) is failed/);
});

test("a person's answer ends the wait: approved with its value, rejected skipped or failed; once, and by who may", async (t) => {
  const { db, settle } = await bench(t);
  const spec = dag("d", {}, (d) => {
    d.sensor("yes", approval({ subject: "Publish?" }));
    d.sensor("no", approval({ subject: "Delete?", role: "admin" }));
    d.sensor("never", approval({ subject: "Pay?", onReject: "fail" }));
  }).spec;
  await deploy(db, spec);
  const run = await createRun(db, { dagId: "d", by: "test" });
  await settle();
  const open = await listApprovals(db, { waiting: "yes" }, { limit: 10, offset: 0, orderBy: [] });
  t.deepEqual(open.rows.map((row) => row.subject).sort(), ["Delete?", "Pay?", "Publish?"]);
  const key = (taskId: string) => ({ dagId: "d", runId: run.runId, taskId, mapIndex: -1 });
  const user = { by: "sara", role: "user", note: null } as const;
  await answerApproval(db, key("yes"), { ...user, chosen: "approve", note: "ok" });
  await t.throwsAsync(answerApproval(db, key("yes"), { ...user, chosen: "reject" }), { message: /sara has answered/ });
  await t.throwsAsync(answerApproval(db, key("no"), { ...user, chosen: "approve" }), { message: /role admin/ });
  await answerApproval(db, key("no"), { ...user, role: "admin", chosen: "reject" });
  await answerApproval(db, key("never"), { ...user, chosen: "reject", note: "too dear" });
  await t.throwsAsync(answerApproval(db, key("other"), { ...user, chosen: "approve" }), { message: /asked for no/ });
  t.deepEqual(await statesOf(db, run.id), { run: "failed", tasks: { yes: "success", no: "skipped", never: "failed" } });
  t.like((await xcomOf(db, "yes")) as object, { chosen: "approve", by: "sara", note: "ok" });
  const error = await db.query("select error ->> 'message' as message from task_attempt where error is not null");
  t.is(error.rows[0]?.message, "rejected by sara: too dear");
  t.is((await listApprovals(db, { waiting: "yes" }, { limit: 10, offset: 0, orderBy: [] })).total, 0);
});

test("a config that does not resolve fails the task with its code; an unknown sensor too", async (t) => {
  const { db, settle } = await bench(t);
  const spec = dag("d", {}, (d) => {
    d.sensor("dateless", timeSensor({ at: d.run.logicalDate }));
    d.sensor("unknown", { kind: "sensor", name: "nope", config: {}, reads: [], emits: [] });
  }).spec;
  await deploy(db, spec);
  const run = await createRun(db, { dagId: "d", by: "test" });
  await settle();
  t.deepEqual((await statesOf(db, run.id)).tasks, { dateless: "failed", unknown: "failed" });
  const codes = await db.query("select error ->> 'code' as code from task_attempt order by 1");
  t.deepEqual(
    codes.rows.map((row) => row.code),
    ["OPERATOR_CONFIG", "OPERATOR_UNKNOWN"],
  );
});

test("several schedulers share the waits of many runs: each ends once, and every promise of the database holds", async (t) => {
  const { db } = await bench(t);
  const looks = Array.from({ length: 4 }, () => {
    return new WaitLook(db, { connection: () => Promise.reject(new Error("none")), warn: t.log, wake: () => {} });
  });
  t.teardown(() => Promise.all(looks.map((look) => look.stop())));
  const spec = dag("many", { maxActiveRuns: 50 }, (d) => {
    const time = d.sensor("time", timeSensor({ at: "2026-01-01T00:00:00Z" }), { emits: ["lake.time"] });
    const event = d.sensor("event", datasetSensor({ dataset: "lake.time", since: "2026-01-01T00:00:00Z" }));
    const other = d.sensor("other", taskSensor({ dag: "many", task: "time" }), { every: "100ms" });
    d.sensor("last", fileSensor({ path: "/etc/hosts" }), { after: [time, event, other], emits: ["lake.last"] });
  }).spec;
  await deploy(db, spec);
  const start = AT.getTime();
  for (let i = 0; i < 12; i++)
    await createRun(db, { dagId: "many", logicalDate: new Date(start + i * 86_400_000), by: "test" });
  const open = async () => (await db.query("select from dag_run where state = 'running'")).rowCount ?? 0;
  for (let i = 0; i < 500 && (await open()) > 0; i++) await Promise.all(looks.map((look) => look.once()));
  const ended = await db.query(
    "select t.state, count(*)::int as n, max(t.try_number) as tries from task_instance t group by t.state",
  );
  t.deepEqual(ended.rows, [{ state: "success", n: 48, tries: 1 }]);
  const events = await db.query(
    "select dataset, count(*)::int as n from dataset_event group by dataset order by dataset",
  );
  t.deepEqual(events.rows, [
    { dataset: "lake.last", n: 12 },
    { dataset: "lake.time", n: 12 },
  ]);
  t.deepEqual(await findViolations(db), []);
  t.is((await db.query("select from task_wait")).rowCount, 0);
});

test("sensors called by their function are queued when they are due, and ended when they are late", async (t) => {
  const { db, settle } = await bench(t);
  const spec = dag("d", {}, (d) => {
    d.sensor("again", { every: "1m", timeout: "1h" }, () => false);
    d.sensor("late", { every: "1m", timeout: "1h", onTimeout: "skip" }, () => false);
  }).spec;
  await deploy(db, spec);
  const run = await createRun(db, { dagId: "d", by: "test" });
  await work(db, () => ({ state: "up_for_reschedule" }));
  await db.query("update task_instance set wake_at = now()");
  await db.query(
    "update task_attempt a set deadline_at = now() from task_instance t where t.attempt_id = a.attempt_id and t.task_id = 'late'",
  );
  await settle();
  t.deepEqual((await statesOf(db, run.id)).tasks, { again: "queued", late: "skipped" });
});
