import test from "ava";
import { joined } from "../../../src/metadata/joined.ts";
import { createRun } from "../../../src/metadata/runs.ts";
import { changesFromNow, readChanges } from "../../../src/metadata/views/changes-view.ts";
import { testDatabase } from "../../support/database.ts";
import { dagSpec, deploy, success, work } from "../fixtures.ts";

const NOTHING = { runs: [], dags: [], datasets: [] };

async function setting(t: Parameters<typeof testDatabase>[0]) {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }]), dagSpec("slow", [{ id: "a" }]));
  let cursor = await changesFromNow(db);
  const told = async () => {
    const { next, ...changes } = await readChanges(db, cursor);
    cursor = next;
    return { ...changes, runs: changes.runs.map((run) => run.dag_run_id) };
  };
  /** Writers in other databases of the server, of tests beside this one, may make it tell a thing again. */
  const quiet = async () => {
    while (JSON.stringify(await told()) !== JSON.stringify(NOTHING));
  };
  return { db, told, quiet, since: () => cursor.since.getTime() };
}

test("what changed is told, and then no more: runs, their tasks, DAGs and datasets", async (t) => {
  const { db, told, quiet } = await setting(t);
  await quiet();
  await createRun(db, { dagId: "d", runId: "one", by: "test" });
  t.deepEqual(await told(), { ...NOTHING, runs: ["one"] });
  await quiet();
  await work(db, () => ({ ...success(), events: [{ dataset: "orders" }] }));
  t.deepEqual(await told(), { ...NOTHING, runs: ["one"], datasets: ["orders"] });
  await quiet();
  await deploy(db, dagSpec("other", [{ id: "a" }]));
  t.true((await told()).dags.includes("other"));
  await quiet();
});

test("what a transaction wrote that began long before it ended is told when it has ended", async (t) => {
  const { db, told, since } = await setting(t);
  const began = await db.transaction(async (sql) => {
    const now = await sql.query<{ at: Date }>("select now() as at");
    const at = now.rows[0]?.at.getTime() ?? 0;
    await createRun(joined(db, sql), { dagId: "slow", runId: "slow", by: "test" });
    await createRun(db, { dagId: "d", runId: "quick", by: "test" });
    t.true((await told()).runs.includes("quick"));
    t.true(since() <= at, "rows of that time may still come");
    return at;
  });
  t.true((await told()).runs.includes("slow"));
  t.true(since() > began);
});
