import test from "ava";
import { createBackfillRuns } from "../../src/scheduler/backfill-runs.ts";
import { dagSpec, deploy, success, work } from "../metadata/fixtures.ts";
import { startTestApi } from "./support.ts";

const DAILY = { kind: "cron", expression: "0 0 * * *", timezone: "UTC" } as const;

test("backfills: dry run, made, listed, paused, cancelled, as Airflow does", async (t) => {
  const { db, as } = await startTestApi(t);
  await deploy(db, dagSpec("d", [{ id: "a" }], { schedule: DAILY, catchup: "none" }));
  const call = await as("user");
  const body = {
    dag_id: "d",
    from_date: "2026-01-01T00:00:00Z",
    to_date: "2026-01-04T00:00:00Z",
    run_backwards: true,
    dag_run_conf: { n: 1 },
    max_active_runs: 1,
  };
  const dry = await call("POST", "/api/v2/backfills/dry_run", body);
  t.is(dry.body.total_entries, 4);
  t.is(dry.body.backfills[0].logical_date, "2026-01-04T00:00:00.000Z");
  t.is((await (await as("viewer"))("POST", "/api/v2/backfills", body)).status, 403);
  const made = await call("POST", "/api/v2/backfills", body);
  t.is(made.status, 200);
  t.like(made.body, {
    dag_id: "d",
    reprocess_behavior: "none",
    run_backwards: true,
    is_paused: false,
    state: "running",
  });
  t.is((await call("POST", "/api/v2/backfills", body)).status, 409);
  t.is((await call("POST", "/api/v2/backfills", { ...body, dag_id: "none" })).status, 404);
  t.is((await call("POST", "/api/v2/backfills", { dag_id: "d" })).status, 422);
  const path = `/api/v2/backfills/${made.body.id}`;

  await createBackfillRuns(db);
  const runs = await call("GET", "/api/v2/dags/d/dagRuns?run_type=backfill");
  t.like(runs.body.dag_runs[0], { run_type: "backfill", logical_date: "2026-01-04T00:00:00.000Z", conf: { n: 1 } });
  t.is((await call("PUT", `${path}/pause`)).body.is_paused, true);
  await work(db, () => success());
  t.is((await createBackfillRuns(db)).created, 0);
  t.is((await call("PUT", `${path}/unpause`)).body.is_paused, false);
  const list = await call("GET", "/api/v2/backfills?dag_id=d&active=true");
  t.deepEqual(list.body.backfills[0].progress, {
    dates: 4,
    pending: 3,
    left_out: 0,
    queued: 0,
    running: 0,
    success: 1,
    failed: 0,
  });
  const cancelled = await call("PUT", `${path}/cancel`);
  t.is(cancelled.body.state, "cancelled");
  t.truthy(cancelled.body.completed_at);
  t.is((await call("PUT", `${path}/cancel`)).status, 409);
  t.is((await call("GET", "/api/v2/backfills/77")).status, 404);
  t.is((await call("GET", "/api/v2/backfills/x")).status, 404);
});
