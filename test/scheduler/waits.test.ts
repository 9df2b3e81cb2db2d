import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { dag } from "../../src/dag/dag.ts";
import type { Connection } from "../../src/dag/operator.ts";
import type { Json } from "../../src/dag/spec.ts";
import { answerApproval, listApprovals } from "../../src/metadata/approvals.ts";
import type { Database } from "../../src/metadata/database.ts";
import { findViolations } from "../../src/metadata/invariants.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { readLog } from "../../src/metadata/work.ts";
import { approval, datasetSensor, fileSensor, httpSensor, taskSensor, timeSensor } from "../../src/operators/index.ts";
import { WaitLook } from "../../src/scheduler/wait-look.ts";
import { deploy, statesOf, success, work } from "../metadata/fixtures.ts";
import { testDatabase } from "../support/database.ts";
import { httpServer, json } from "../support/http-server.ts";

interface Bench {
  readonly db: Database;
  readonly look: WaitLook;
  /** Looks until nothing is left to do at once. */
  settle(): Promise<void>;
  /** Makes every wait due. */
  due(): Promise<void>;
}

interface Given {
  checkMs?: number;
  share?: number;
  connection?: (id: string) => Promise<Connection>;
}

async function bench(t: ExecutionContext, options: Given = {}): Promise<Bench> {
  const db = await testDatabase(t);
  let woken = Promise.withResolvers<void>();
  const look = new WaitLook(db, {
    connection: async (id) => {
      throw new Error(`no connection ${id}`);
    },
    warn: (message) => t.log(message),
    wake: () => woken.resolve(),
    ...options,
  });
  t.teardown(() => look.stop());
  return {
    db,
    look,
    settle: async () => {
      for (;;) {
        woken = Promise.withResolvers();
        const { more } = await look.once();
        if (more) continue;
        if (look.underWay === 0) return;
        await woken.promise;
      }
    },
    due: async () => void (await db.query("update task_wait set wake_at = now()")),
  };
}

/** The only wait, as it is kept. */
async function waitOf(db: Database) {
  const rows = await db.query<{ note: string; polls: number; in_s: number; condition: Json }>(
    "select note, polls, condition, round(extract(epoch from wake_at - now()))::int as in_s from task_wait",
  );
  return rows.rows[0];
}

async function logOf(db: Database, taskId: string): Promise<string[]> {
  const found = await db.query<{ id: string }>(
    "select a.attempt_id as id from task_attempt a join task_instance t using (attempt_id) where t.task_id = $1",
    [taskId],
  );
  return (await readLog(db, found.rows[0]?.id ?? "", 1, 100)).lines.map(({ text }) => text);
}

async function xcomOf(db: Database, taskId: string): Promise<unknown> {
  const rows = await db.query<{ value: unknown }>(
    "select x.value from xcom x join task_instance t on t.id = x.task_instance_id where t.task_id = $1",
    [taskId],
  );
  return rows.rows[0]?.value;
}

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
  t.true(Math.abs((wait?.in_s ?? 0) - 7200) < 5);
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

test("a server is asked until it answers as wished; a value can fail the wait at once", async (t) => {
  const { db, settle, due } = await bench(t);
  let state = "running";
  const { origin } = await httpServer(t, {
    "/job": (request, response) => json({ job: { state } })(request, response),
    "/starting": (_, response) => response.writeHead(502).end("<html>"),
  });
  const spec = dag("d", {}, (d) => {
    const done = { at: "/job/state", is: ["done"], failOn: ["dead"] };
    d.sensor("done", httpSensor({ url: `${origin}/job`, json: done }));
    d.sensor("dead", httpSensor({ url: `${origin}/job`, json: { at: "/job/state", is: ["never"], failOn: ["done"] } }));
    d.sensor("up", httpSensor({ url: `${origin}/starting` }));
    d.sensor("any", httpSensor({ url: `${origin}/starting`, expect: [502] }));
  }).spec;
  await deploy(db, spec);
  const run = await createRun(db, { dagId: "d", by: "test" });
  await settle();
  state = "done";
  await due();
  await settle();
  t.deepEqual((await statesOf(db, run.id)).tasks, { done: "success", dead: "failed", up: "deferred", any: "success" });
  t.is(await xcomOf(db, "done"), "done");
  t.is(await xcomOf(db, "any"), 502);
  t.deepEqual(await logOf(db, "done"), [
    `waits for ${origin}/job to answer as wished at "/job/state"`,
    `${origin}/job has "running" at "/job/state"`,
    (await logOf(db, "done")).at(-1),
  ]);
  t.is((await waitOf(db))?.note, `${origin}/starting answered 502`);
});

test("a server that hangs takes its own places only", async (t) => {
  const { db, look } = await bench(t, { share: 2 });
  const slow = await httpServer(t, { "/": () => {} });
  const fast = await httpServer(t, { "/": json("ok") });
  const spec = dag("d", {}, (d) => {
    for (let i = 0; i < 10; i++) d.sensor(`slow${i}`, httpSensor({ url: `${slow.origin}/`, timeoutSeconds: 30 }));
    d.sensor("fast", httpSensor({ url: `${fast.origin}/` }));
  }).spec;
  await deploy(db, spec);
  const run = await createRun(db, { dagId: "d", by: "test" });
  while ((await statesOf(db, run.id)).tasks.fast !== "success") await look.once();
  t.is(slow.seen.length, 2);
});

test("a check that does not come to an end is given up in time, and made again later", async (t) => {
  const { db, settle } = await bench(t, { checkMs: 100 });
  const { origin } = await httpServer(t, { "/": () => {} });
  const spec = dag("d", {}, (d) => {
    d.sensor("slow", httpSensor({ url: `${origin}/`, timeoutSeconds: 30 }));
  }).spec;
  await deploy(db, spec);
  await createRun(db, { dagId: "d", by: "test" });
  await settle();
  const wait = await waitOf(db);
  t.regex(wait?.note ?? "", /the check failed: .*timeout/);
  t.is(wait?.polls, 1);
});

test("the secret of a connection reaches the server, and nothing that is kept about the wait", async (t) => {
  const secret = "tok3n-of-the-server";
  const server = await httpServer(t, { "/echo": ({ headers }, response) => json(headers)(null as never, response) });
  const { db, settle } = await bench(t, {
    connection: async (id) => ({
      id,
      kind: "http",
      host: "127.0.0.1",
      port: server.port,
      user: "",
      password: "",
      path: "",
      options: { token: secret },
    }),
  });
  const wanted = { connection: "c", path: "/echo" };
  const spec = dag("d", {}, (d) => {
    d.sensor("waits", httpSensor({ ...wanted, json: { at: "/authorization", is: ["never"] } }));
    d.sensor("fails", httpSensor({ ...wanted, json: { at: "/authorization", failOn: [`Bearer ${secret}`] } }));
  }).spec;
  await deploy(db, spec);
  await createRun(db, { dagId: "d", by: "test" });
  await settle();
  t.is(server.seen[0]?.headers.authorization, `Bearer ${secret}`);
  t.regex((await waitOf(db))?.note ?? "", /has "Bearer \*\*\*" at/);
  const error = await db.query("select error from task_attempt where error is not null");
  t.is(error.rows[0]?.error.code, "SENSOR_FAILED");
  const kept = [await logOf(db, "waits"), await logOf(db, "fails"), error.rows, (await waitOf(db))?.note];
  t.false(JSON.stringify(kept).includes(secret));
});

test("checks under way when the scheduler stops are given back at once", async (t) => {
  const { db, look } = await bench(t);
  const { origin, seen } = await httpServer(t, { "/": () => {} });
  const spec = dag("d", {}, (d) => {
    d.sensor("slow", httpSensor({ url: `${origin}/` }));
  }).spec;
  await deploy(db, spec);
  await createRun(db, { dagId: "d", by: "test" });
  while (seen.length === 0) await look.once();
  await look.stop();
  const wait = await db.query("select wake_at <= now() as due, lease, polls from task_wait");
  t.deepEqual(wait.rows, [{ due: true, lease: null, polls: 0 }]);
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
