import { randomUUID } from "node:crypto";
import test from "ava";
import { createRun } from "../../src/metadata/runs.ts";
import { tellLook } from "../../src/metadata/scheduler-sessions.ts";
import { finishAndClaim, saveProgress } from "../../src/metadata/work.ts";
import { startScheduler } from "../../src/scheduler/index.ts";
import { dagSpec, deploy, success, work, worker } from "../metadata/fixtures.ts";
import { startTestApi } from "./support.ts";

test("metrics tell of pools, lags, claims and fenced writes, in a form that Prometheus reads", async (t) => {
  const { api, db } = await startTestApi(t);
  await deploy(db, dagSpec("d", [{ id: "a" }, { id: "b", pool: "spark" }, { id: "c", pool: "spark" }]));
  await createRun(db, { dagId: "d", by: "test" });
  const workerId = await worker(db);
  const { claimed } = await finishAndClaim(db, workerId, [], { functions: 2, operators: 0 });
  const [first] = claimed;
  const stale = { attemptId: first?.attemptId ?? "", token: randomUUID() };
  await t.throwsAsync(saveProgress(db, stale, { step: "x", done: 0, total: null }), { code: "FENCED" });
  await finishAndClaim(db, workerId, [{ ...stale, ...success() }], { functions: 0, operators: 0 });
  await db.query("update task_instance set queued_at = now() - interval '90 s' where state = 'queued'");
  await tellLook(db, { schedulerId: randomUUID(), hostId: "h", pid: 1, lookMs: 250 });
  const text = await (await fetch(`${api.url}/metrics`)).text();
  for (const line of [
    /^qflow_task_instances\{state="running"\} 2$/m,
    /^qflow_pool_slots\{pool="spark"\} 1$/m,
    /^qflow_pool_running_slots\{pool="spark"\} 1$/m,
    /^qflow_pool_queued_slots\{pool="spark"\} 1$/m,
    /^qflow_pool_oldest_queued_seconds\{pool="spark"\} (9\d|1\d\d)/m,
    /^qflow_schedulers 1$/m,
    /^qflow_scheduler_look_seconds 0\.25$/m,
    /^qflow_workers 1$/m,
    /^qflow_fenced_writes_total 2$/m,
    /^qflow_rescued_attempts_total 0$/m,
    /^qflow_claim_latency_seconds\{quantile="0\.99"\} 0?\.?\d/m,
    /^qflow_attempts_started_last_minute 2$/m,
    /^qflow_database_epoch \d+$/m,
    /^qflow_api_event_loop_p99_seconds /m,
  ]) {
    t.regex(text, line);
  }
  const known = /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? -?[\d.e+-]+)$/;
  t.deepEqual(
    text
      .trimEnd()
      .split("\n")
      .filter((line) => !known.test(line)),
    [],
  );
});

test("a tick that nobody handles shows as lag; one that waits for room does not", async (t) => {
  const { api, db } = await startTestApi(t);
  const cron = { kind: "cron", expression: "0 0 * * *", timezone: "UTC" } as never;
  await deploy(db, dagSpec("late", [{ id: "a" }], { schedule: cron, maxActiveRuns: 1 }));
  await db.query("update dag set plan_pending = false, next_run_after = now() - interval '1 hour'");
  const lag = async () =>
    Number(/^qflow_scheduler_lag_seconds (\S+)$/m.exec(await (await fetch(`${api.url}/metrics`)).text())?.[1]);
  t.true((await lag()) > 3_500);
  await createRun(db, { dagId: "late", by: "test" });
  t.is(await lag(), 0);
  await work(db, () => success());
});

test("health tells what lives, and is 503 when the database does not answer, without waiting for it", async (t) => {
  const { api, db } = await startTestApi(t);
  const fine = await fetch(`${api.url}/health`);
  t.is(fine.status, 200);
  t.deepEqual(await fine.json(), { status: "healthy", database: "healthy", schedulers: 0, workers: 0 });
  const scheduler = await startScheduler(db, { pollMs: 20, warn: () => {} });
  const alive = async () => ((await (await fetch(`${api.url}/health`)).json()) as { schedulers: number }).schedulers;
  while ((await alive()) === 0) await new Promise((next) => setImmediate(next));
  await scheduler.stop();
  t.is(await alive(), 0);
  const blocked = await Promise.all(Array.from({ length: 8 }, () => db.connect()));
  const ill = await fetch(`${api.url}/health`);
  t.is(ill.status, 503);
  t.like(await ill.json(), { status: "unhealthy", database: "unhealthy" });
  for (const client of blocked) client.release();
});
