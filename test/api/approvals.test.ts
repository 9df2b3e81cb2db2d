import test from "ava";
import { dag } from "../../src/dag/dag.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { approval } from "../../src/operators/index.ts";
import { WaitLook } from "../../src/scheduler/wait-look.ts";
import { deploy, statesOf } from "../metadata/fixtures.ts";
import { startTestApi } from "./support.ts";

test("what tasks ask is listed and answered in Airflow's shape: by who may, once, with an audit row", async (t) => {
  const { db, as } = await startTestApi(t);
  const spec = dag("d", {}, (d) => {
    d.sensor("publish", approval({ subject: "Publish?", body: "**all** of it" }));
    d.sensor("pay", approval({ subject: "Pay?", role: "admin" }));
  }).spec;
  await deploy(db, spec);
  const run = await createRun(db, { dagId: "d", runId: "r", by: "test" });
  const none = { connection: () => Promise.reject(new Error("none")), warn: t.log, wake: () => {} };
  const look = new WaitLook(db, none);
  while ((await look.once()).more);
  const [viewer, user, admin] = [await as("viewer"), await as("user"), await as("admin")];
  const open = await viewer("GET", "/api/v2/dags/~/dagRuns/~/hitlDetails?response_received=false");
  t.is(open.status, 200);
  t.is(open.body.total_entries, 2);
  const path = (task: string) => `/api/v2/dags/d/dagRuns/r/taskInstances/${task}/-1/hitlDetails`;
  const asked = (await viewer("GET", path("publish"))).body;
  t.like(asked, {
    subject: "Publish?",
    body: "**all** of it",
    response_received: false,
    options: ["Approve", "Reject"],
  });
  t.like(asked.task_instance, { task_id: "publish", state: "deferred", try_number: 1 });
  const yes = { chosen_options: ["Approve"], params_input: {} };
  t.is((await viewer("PATCH", path("publish"), yes)).status, 403);
  t.is((await user("PATCH", path("pay"), yes)).status, 403);
  t.is((await user("PATCH", path("publish"), { chosen_options: ["Maybe"] })).status, 422);
  const answered = await user("PATCH", path("publish"), { ...yes, note: "fine" });
  t.is(answered.status, 200);
  t.like(answered.body, { responded_by: { id: "user", name: "user" }, chosen_options: ["Approve"] });
  t.is((await user("PATCH", path("publish"), yes)).status, 409);
  t.is((await user("PATCH", path("nothing"), yes)).status, 404);
  t.is((await admin("PATCH", path("pay"), { chosen_options: ["Reject"] })).status, 200);
  t.deepEqual(await statesOf(db, run.id), { run: "success", tasks: { publish: "success", pay: "skipped" } });
  t.like((await viewer("GET", path("publish"))).body, { response_received: true, waiting: false, note: "fine" });
  const audit = await db.query(
    "select actor, action, task_id, error from audit_log where action like 'approval%' order by at",
  );
  t.deepEqual(
    audit.rows.filter((row) => row.error === null),
    [
      { actor: "user", action: "approval.approve", task_id: "publish", error: null },
      { actor: "admin", action: "approval.reject", task_id: "pay", error: null },
    ],
  );
});
