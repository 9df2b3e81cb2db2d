import test from "ava";
import { createRun } from "../../src/metadata/runs.ts";
import { Look } from "../../src/scheduler/scheduler.ts";
import { dagSpec, deploy, success, work } from "../metadata/fixtures.ts";
import { startTestApi } from "./support.ts";

test("a run tells which dataset events started it, who announced them, and of which partition", async (t) => {
  const { db, as, defects } = await startTestApi(t);
  const schedule = { kind: "datasets", condition: { dataset: "lake.sales" }, consume: "partition" } as const;
  await deploy(db, dagSpec("load", [{ id: "write" }]), dagSpec("report", [{ id: "read" }], { schedule }));
  const call = await as("user");
  const made = await call("POST", "/api/v2/dags/load/dagRuns", { dag_run_id: "one", partition_key: "2026-11-22" });
  t.is(made.body.partition_key, "2026-11-22");
  await work(db, () => ({ state: "success", value: null, events: [{ dataset: "lake.sales", extra: { rows: 3 } }] }));
  await new Look(db, "host").once();
  const [run] = (await call("GET", "/api/v2/dags/report/dagRuns")).body.dag_runs;
  t.is(run.partition_key, "2026-11-22");
  t.is(run.run_type, "asset_triggered");
  const { body } = await call("GET", `/api/v2/dags/report/dagRuns/${run.dag_run_id}/upstreamAssetEvents`);
  t.is(body.total_entries, 1);
  const [event] = body.asset_events;
  t.like(event, {
    uri: "lake.sales",
    name: "lake.sales",
    extra: { rows: 3 },
    source_dag_id: "load",
    source_run_id: "one",
    source_task_id: "write",
    source_map_index: -1,
    partition_key: "2026-11-22",
  });
  t.is(typeof event.asset_id, "number");
  t.deepEqual(
    event.created_dagruns.map((created: { dag_id: string; run_id: string }) => [created.dag_id, created.run_id]),
    [["report", run.dag_run_id]],
  );
  t.deepEqual((await call("GET", "/api/v2/dags/load/dagRuns/one/upstreamAssetEvents")).body.asset_events, []);
  t.is((await call("GET", "/api/v2/dags/load/dagRuns/none/upstreamAssetEvents")).status, 404);
  t.true((await call("GET", "/api/v2/dags/report")).body.timetable_partitioned);
  t.deepEqual(defects, []);
});

test("a run by hand has a partition only where it is given one", async (t) => {
  const { db, as } = await startTestApi(t);
  await deploy(db, dagSpec("load", [{ id: "write" }]));
  await createRun(db, { dagId: "load", runId: "plain", by: "test" });
  const [task] = await work(db, () => success());
  t.is(task?.partition, null);
  const call = await as("user");
  t.is((await call("GET", "/api/v2/dags/load/dagRuns/plain")).body.partition_key, null);
  t.is((await call("POST", "/api/v2/dags/load/dagRuns", { partition_key: "" })).status, 422);
});
