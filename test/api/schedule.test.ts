import test from "ava";
import { pauseDag } from "../../src/metadata/runs.ts";
import { dagSpec, deploy } from "../metadata/fixtures.ts";
import { startTestApi } from "./support.ts";

test("the schedule of a DAG: what un-pausing would create, and what comes then", async (t) => {
  const { db, as, defects } = await startTestApi(t);
  const schedule = { kind: "cronInterval", expression: "0 0 * * *", timezone: "UTC" } as const;
  await deploy(db, dagSpec("daily", [{ id: "a" }], { schedule, start: "2026-01-01T00:00:00.000Z", catchup: "latest" }));
  await pauseDag(db, "daily");
  const call = await as("viewer");
  const { body } = await call("GET", "/api/schedule/daily?count=2");
  t.true(body.is_paused);
  t.is(body.due.created, 1);
  t.is(body.due.runs.length, 1);
  t.true(body.due.skipped > 0);
  t.is(body.coming.length, 2);
  t.is(body.coming[0].data_interval_end, body.coming[0].run_after);
  t.is(body.coming[0].data_interval_end, body.coming[1].data_interval_start);
  t.is((await call("GET", "/api/schedule/nope")).status, 404);
  t.deepEqual(defects, []);
});
