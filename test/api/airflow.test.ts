import { randomUUID } from "node:crypto";
import test from "ava";
import { createRun } from "../../src/metadata/runs.ts";
import { tellLook } from "../../src/metadata/scheduler-sessions.ts";
import { appendLog } from "../../src/metadata/work.ts";
import { dagSpec, deploy, FAILED, success, work } from "../metadata/fixtures.ts";
import { startTestApi } from "./support.ts";

const SPEC = dagSpec(
  "shop",
  [
    { id: "land", emits: ["staging.sales"] },
    { id: "load", upstream: ["land"], reads: ["staging.sales"], emits: ["conformed.fact_sales"] },
    { id: "check", upstream: ["load"] },
  ],
  { doc: "Sales", owner: "data", tags: ["retail"] },
);

test("dags: list with latest runs, get, details, versions, source, tasks", async (t) => {
  const { db, as } = await startTestApi(t);
  await deploy(db, SPEC, dagSpec("other", [{ id: "a" }]));
  await createRun(db, { dagId: "shop", by: "user:ada" });
  await work(db, () => success({ rows: 3 }));
  const call = await as("viewer");

  const list = await call("GET", "/api/v2/dags");
  t.is(list.body.total_entries, 2);
  t.deepEqual(
    list.body.dags.map((dag: { dag_id: string }) => dag.dag_id),
    ["other", "shop"],
  );
  const shop = list.body.dags[1];
  t.is(shop.latest_runs.length, 1);
  t.is(shop.latest_runs[0].state, "success");
  t.deepEqual(shop.run_counts, { queued: 0, running: 0, success: 1, failed: 0 });
  t.is(shop.tags[0].name, "retail");
  t.is((await call("GET", "/api/v2/dags?dag_id_pattern=sho")).body.total_entries, 1);
  t.is((await call("GET", "/api/v2/dags?tags=retail&paused=true")).body.total_entries, 0);
  const second = await call("GET", "/api/v2/dags?limit=1&offset=1&order_by=-dag_id");
  t.is(second.body.dags[0].dag_id, "other");
  t.is((await call("GET", "/api/v2/dags?order_by=nonsense")).status, 422);

  t.is((await call("GET", "/api/v2/dags/shop/details")).body.doc_md, "Sales");
  const versions = await call("GET", "/api/v2/dags/shop/dagVersions");
  t.is(versions.body.dag_versions[0].version_number, 1);
  t.is((await call("GET", "/api/v2/dagSources/shop")).body.content, "export default 1;");
  const tasks = await call("GET", "/api/v2/dags/shop/tasks");
  t.deepEqual(tasks.body.tasks[0].downstream_task_ids, ["load"]);
  t.is((await call("GET", "/api/v2/dags/shop/tasks/nope")).status, 404);
  t.is((await call("GET", "/api/v2/dags/nope")).status, 404);
});

test("runs: trigger with conf, list by state, instances, tries, values", async (t) => {
  const { db, as } = await startTestApi(t);
  await deploy(db, SPEC);
  const call = await as("user");
  const made = await call("POST", "/api/v2/dags/shop/dagRuns", {
    dag_run_id: "one",
    conf: { day: 1 },
    note: "by hand",
  });
  t.is(made.status, 200);
  t.is(made.body.dag_run_id, "one");
  t.deepEqual(made.body.conf, { day: 1 });
  t.is(made.body.triggering_user_name, "user");
  t.is((await call("POST", "/api/v2/dags/shop/dagRuns", { dag_run_id: "one" })).status, 409);
  await work(db, (task) => (task.taskId === "load" ? FAILED : success({ rows: 3 })));

  const failed = await call("GET", "/api/v2/dags/~/dagRuns?state=failed&state=queued");
  t.is(failed.body.total_entries, 1);
  t.is(failed.body.dag_runs[0].state, "failed");
  const base = "/api/v2/dags/shop/dagRuns/one/taskInstances";
  const instances = await call("GET", base);
  t.deepEqual(
    instances.body.task_instances.map((one: { task_id: string; state: string }) => [one.task_id, one.state]),
    [
      ["land", "success"],
      ["load", "failed"],
      ["check", "upstream_failed"],
    ],
  );
  const load = await call("GET", `${base}/load`);
  t.deepEqual(load.body.error, { code: "TASK_FAILED", message: "no" });
  const tries = await call("GET", `${base}/load/tries`);
  t.is(tries.body.total_entries, 1);
  t.is(tries.body.task_instances[0].state, "failed");
  const value = await call("GET", `${base}/land/xcomEntries/return_value`);
  t.deepEqual(value.body.value, { rows: 3 });
  const entries = await call("GET", `${base}/~/xcomEntries`);
  t.is(entries.body.total_entries, 1);
  t.false("value" in entries.body.xcom_entries[0]);
  t.is((await call("GET", `${base}/nope`)).status, 404);
  t.is((await call("GET", `${base}/land/x`)).status, 404);
});

test("clear: a dry run lists, the real one runs again; cancel ends a run", async (t) => {
  const { db, as } = await startTestApi(t);
  await deploy(db, SPEC);
  const call = await as("user");
  await call("POST", "/api/v2/dags/shop/dagRuns", { dag_run_id: "one" });
  await work(db, (task) => (task.taskId === "load" ? FAILED : success()));
  const dry = await call("POST", "/api/v2/dags/shop/clearTaskInstances", {
    dag_run_id: "one",
    include_downstream: true,
  });
  t.deepEqual(
    dry.body.task_instances.map((one: { task_id: string }) => one.task_id),
    ["load", "check"],
  );
  t.is((await db.query("select from audit_log where action = 'tasks.clear'")).rowCount, 0);
  await call("POST", "/api/v2/dags/shop/dagRuns/one/clear", { dry_run: false, only_failed: true });
  t.is((await call("GET", "/api/v2/dags/shop/dagRuns/one")).body.state, "running");
  const cancelled = await call("PATCH", "/api/v2/dags/shop/dagRuns/one", { state: "failed", note: "enough" });
  t.is(cancelled.body.state, "failed");
  t.is(cancelled.body.note, "enough");
  t.is((await call("PATCH", "/api/v2/dags/shop/dagRuns/one", { state: "success" })).body.state, "success");
  t.is((await call("PATCH", "/api/v2/dags/shop/dagRuns/two", { state: "success" })).status, 404);
  const actions = await db.query("select action, error from audit_log order by audit_id");
  t.deepEqual(
    actions.rows.map((row) => [row.action, row.error]),
    [
      ["run.trigger", null],
      ["run.clear", null],
      ["run.patch", null],
      ["run.patch", null],
      ["run.patch", "NOT_FOUND"],
    ],
    "one row a call, also of one that failed",
  );
});

test("mark: a dry run lists, the real one changes; a note is kept; a running try is refused where it is to be", async (t) => {
  const { db, as } = await startTestApi(t);
  await deploy(db, SPEC);
  const call = await as("user");
  await call("POST", "/api/v2/dags/shop/dagRuns", { dag_run_id: "one" });
  await work(db, (task) => (task.taskId === "load" ? FAILED : success()));
  const base = "/api/v2/dags/shop/dagRuns/one/taskInstances";
  const dry = await call("PATCH", `${base}/load/dry_run`, { new_state: "success" });
  t.deepEqual(
    dry.body.task_instances.map((one: { task_id: string; state: string }) => [one.task_id, one.state]),
    [["load", "failed"]],
  );
  t.is((await call("PATCH", `${base}/load/dry_run`, {})).status, 422);
  const marked = await call("PATCH", `${base}/load`, { new_state: "success", note: "loaded by hand" });
  t.is(marked.body.task_instances[0].state, "success");
  t.is((await call("GET", `${base}/load`)).body.note, "loaded by hand");
  t.is((await call("GET", `${base}/check`)).body.state, "queued");
  const refused = { dag_run_id: "one", task_ids: ["check"], only_failed: false, dry_run: false };
  const path = "/api/v2/dags/shop/clearTaskInstances";
  t.is((await call("POST", path, { ...refused, prevent_running_task: true })).status, 409);
  t.is((await call("POST", path, refused)).body.total_entries, 1);
  t.is((await call("PATCH", `${base}/nope`, { new_state: "success" })).status, 404);
  t.is((await call("PATCH", `${base}/load`, { new_state: "exploded" })).status, 422);
  const failed = await db.query("select actor, action, task_id, error from audit_log where error is not null");
  t.deepEqual(
    failed.rows.map((row) => [row.task_id, row.error]),
    [
      ["load", "REQUEST_INVALID"],
      [null, "CONFLICT"],
      ["nope", "NOT_FOUND"],
      ["load", "REQUEST_INVALID"],
    ],
    "one row a call that was refused",
  );
});

test("logs: pages by line, a token goes on while the try runs, plain text on request", async (t) => {
  const { db, as } = await startTestApi(t);
  await deploy(db, SPEC);
  await createRun(db, { dagId: "shop", runId: "one", by: "user:ada" });
  await work(db, () => success());
  const attempt = await db.query<{ attempt_id: string; token: string }>(
    "select a.attempt_id, a.token from task_attempt a join task_instance i on i.id = a.task_instance_id where task_id = 'land'",
  );
  const { attempt_id: attemptId, token } = attempt.rows[0] as { attempt_id: string; token: string };
  const at = "2026-01-01T00:00:00.000Z";
  const lines = [1, 2, 3].map((n) => ({
    at,
    level: n === 3 ? ("warn" as const) : ("stdout" as const),
    text: `line ${n}`,
  }));
  await appendLog(db, [{ attemptId, token, firstLine: 1, lines }]);
  const call = await as("viewer");
  const path = "/api/v2/dags/shop/dagRuns/one/taskInstances/land/logs/1";
  const first = await call("GET", `${path}?limit=2`);
  t.deepEqual(
    first.body.content.map((line: { line: number; event: string; logger: string }) => [
      line.line,
      line.event,
      line.logger,
    ]),
    [
      [1, "line 1", "stdout"],
      [2, "line 2", "stdout"],
    ],
  );
  t.false(first.body.complete);
  const rest = await call("GET", `${path}?token=${first.body.continuation_token}`);
  t.is(rest.body.content[0].level, "warning");
  t.true(rest.body.complete);
  t.is(rest.body.continuation_token, null);
  t.is((await call("GET", `${path}?from_line=3`)).body.content.length, 1);
  t.is((await call("GET", "/api/v2/dags/shop/dagRuns/one/taskInstances/land/logs/9")).status, 404);
});

test("the grid shows tasks and runs with a cell for each, newest first, page by page", async (t) => {
  const { db, as } = await startTestApi(t);
  await deploy(db, SPEC);
  for (const runId of ["r1", "r2", "r3"]) await createRun(db, { dagId: "shop", runId, by: "user:ada" });
  await work(db, (task) => (task.runId === "r2" && task.taskId === "load" ? FAILED : success()));
  const call = await as("viewer");
  const first = await call("GET", "/api/grid/shop?limit=2");
  t.deepEqual(
    first.body.tasks.map((task: { task_id: string }) => task.task_id),
    ["land", "load", "check"],
  );
  t.deepEqual(
    first.body.runs.map((run: { dag_run_id: string; state: string }) => [run.dag_run_id, run.state]),
    [
      ["r3", "success"],
      ["r2", "failed"],
    ],
  );
  const cells = Object.fromEntries(
    first.body.runs[1].cells.map((cell: { task_id: string; state: string }) => [cell.task_id, cell.state]),
  );
  t.deepEqual(cells, { land: "success", load: "failed", check: "upstream_failed" });
  const second = await call("GET", `/api/grid/shop?limit=2&before=${first.body.next}`);
  t.is(second.body.runs[0].dag_run_id, "r1");
  t.is(second.body.next, null);
  t.is((await call("GET", "/api/grid/nope")).status, 404);
});

test("a new version keeps the tasks that only older runs have", async (t) => {
  const { db, as } = await startTestApi(t);
  await deploy(db, SPEC);
  await createRun(db, { dagId: "shop", by: "user:ada" });
  await deploy(db, dagSpec("shop", [{ id: "land" }, { id: "fresh", upstream: ["land"] }]));
  const call = await as("viewer");
  const grid = await call("GET", "/api/grid/shop");
  const latest = Object.fromEntries(
    grid.body.tasks.map((task: { task_id: string; in_latest: boolean }) => [task.task_id, task.in_latest]),
  );
  t.deepEqual(latest, { land: true, fresh: true, load: false, check: false });
});

test("pools, health, version and metrics", async (t) => {
  const { api, db, as } = await startTestApi(t);
  const call = await as("viewer");
  const pools = await call("GET", "/api/v2/pools");
  t.true(pools.body.pools.some((pool: { name: string }) => pool.name === "spark"));
  t.is((await call("GET", "/api/v2/pools/spark")).body.open_slots, 1);
  const before = (await call("GET", "/api/v2/monitor/health")).body;
  t.is(before.metadatabase.status, "healthy");
  t.is(before.scheduler.status, "unhealthy");
  await tellLook(db, { schedulerId: randomUUID(), hostId: "h", pid: 1, lookMs: 3 });
  const after = (await call("GET", "/api/v2/monitor/health")).body;
  t.is(after.scheduler.status, "healthy");
  t.truthy(after.scheduler.latest_scheduler_heartbeat);
  t.regex((await call("GET", "/api/v2/version")).body.version, /^\d+\.\d+\.\d+/);
  t.regex(await (await fetch(`${api.url}/metrics`)).text(), /^qflow_workers 0$/m);
});

test("the event stream says hello, then which runs changed", async (t) => {
  const { api, db, as } = await startTestApi(t);
  await deploy(db, SPEC);
  await as("viewer");
  const { createToken } = await import("../../src/metadata/access.ts");
  const { token } = await createToken(db, { name: "events", user: "viewer", days: 1 });
  const stop = new AbortController();
  const response = await fetch(`${api.url}/api/events`, {
    headers: { authorization: `Bearer ${token}` },
    signal: stop.signal,
  });
  t.regex(response.headers.get("content-type") ?? "", /text\/event-stream/);
  const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
  let seen = "";
  const until = async (pattern: RegExp) => {
    while (!pattern.test(seen)) seen += (await reader.read()).value ?? "";
  };
  await until(/event: hello/);
  await createRun(db, { dagId: "shop", runId: "live", by: "user:ada" });
  await until(/event: change\ndata: .*"dag_run_id":"live"/);
  t.pass();
  stop.abort();
});
