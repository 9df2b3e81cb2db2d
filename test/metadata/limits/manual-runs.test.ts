import test from "ava";
import type { Json } from "../../../src/dag/spec.ts";
import { createRun, pauseDag, unpauseDag } from "../../../src/metadata/runs.ts";
import { getRun } from "../../../src/metadata/views/run-views.ts";
import { testDatabase } from "../../support/database.ts";
import { dagSpec, deploy, success, work } from "../fixtures.ts";

test("of triggers with one run id at once one wins; the others hear of it, and nothing of theirs is left", async (t) => {
  const db = await testDatabase(t, { max: 12 });
  await deploy(db, dagSpec("d", [{ id: "a" }]));
  const all = await Promise.allSettled(
    Array.from({ length: 6 }, (_, n) => createRun(db, { dagId: "d", runId: "same", conf: { n }, by: "test" })),
  );
  t.is(all.filter((one) => one.status === "fulfilled").length, 1);
  for (const one of all) if (one.status === "rejected") t.is(one.reason.code, "CONFLICT");
  t.is((await db.query("select from dag_run")).rowCount, 1);
  t.is((await db.query("select from task_instance")).rowCount, 1);
});

test("conf is checked before anything is made; a run needs no logical date", async (t) => {
  const db = await testDatabase(t);
  const params = { type: "object", properties: { n: { type: "number" } }, required: ["n"] };
  await deploy(db, dagSpec("d", [{ id: "a" }], { params }));
  for (const conf of [{}, { n: "x" }] as Json[])
    await t.throwsAsync(createRun(db, { dagId: "d", conf, by: "test" }), { code: "PARAMS_INVALID" });
  t.is((await db.query("select from dag_run")).rowCount, 0);
  const { runId } = await createRun(db, { dagId: "d", conf: { n: 1 }, by: "test" });
  t.is((await getRun(db, "d", runId)).logical_date, null);
  const [task] = await work(db, () => success());
  t.is(task?.logicalDate, null);
});

test("a run triggered while its DAG is paused stays queued, and starts when it no longer is", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }]));
  await pauseDag(db, "d");
  const { runId } = await createRun(db, { dagId: "d", by: "test" });
  t.is((await getRun(db, "d", runId)).state, "queued");
  t.deepEqual(await work(db, () => success()), []);
  await unpauseDag(db, "d");
  t.is((await getRun(db, "d", runId)).state, "running");
});
