import test from "ava";
import type { Database } from "../../../src/metadata/database.ts";
import { createRun, startRuns } from "../../../src/metadata/runs.ts";
import { finishAndClaim } from "../../../src/metadata/work.ts";
import { testDatabase } from "../../support/database.ts";
import { dagSpec, deploy, success, work, worker } from "../fixtures.ts";

const MANY = { functions: 16, operators: 16 };
const REGION = { $param: ["region"] };

async function trigger(db: Database, ...regions: string[]): Promise<void> {
  for (const region of regions) await createRun(db, { dagId: "d", conf: { region }, by: "test" });
}

async function runningRegions(db: Database): Promise<string[]> {
  const found = await db.query<{ region: string }>(
    "select params ->> 'region' as region from dag_run where state = 'running' order by id",
  );
  return found.rows.map((row) => row.region);
}

test("at most so many instances with one value of a param run at once, over all runs; other values are not held up", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a", concurrency: { key: REGION, limit: 1 } }, { id: "free" }]));
  await trigger(db, "eu", "eu", "us", "eu");
  const workerId = await worker(db);
  const { claimed } = await finishAndClaim(db, workerId, [], MANY);
  const regions = claimed
    .filter((task) => task.taskId === "a")
    .map((task) => (task.params as { region: string }).region);
  t.deepEqual(regions.sort(), ["eu", "us"]);
  t.is(claimed.filter((task) => task.taskId === "free").length, 4);
  t.deepEqual((await finishAndClaim(db, workerId, [], MANY)).claimed, []);
  const done = claimed.find((task) => task.taskId === "a" && (task.params as { region: string }).region === "eu");
  const outcome = { attemptId: done?.attemptId ?? "", token: done?.token ?? "", ...success() };
  t.is((await finishAndClaim(db, workerId, [outcome], MANY)).claimed.length, 1);
});

test("tasks with one key share its limit; text and facts of the run are keys, too", async (t) => {
  const db = await testDatabase(t);
  await deploy(
    db,
    dagSpec("d", [
      { id: "a", concurrency: { key: "sap", limit: 1 } },
      { id: "b", concurrency: { key: "sap", limit: 1 } },
      { id: "c", concurrency: { key: { $run: "runId" }, limit: 1 } },
      { id: "d", concurrency: { key: { $run: "runId" }, limit: 1 } },
    ]),
  );
  await trigger(db, "eu", "us");
  const { claimed } = await finishAndClaim(db, await worker(db), [], MANY);
  t.deepEqual(claimed.map((task) => task.taskId).sort(), ["a", "c", "c"]);
});

test("at most so many runs with one value of a param run at once; the next starts when one has ended", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", [{ id: "a" }], { concurrency: { key: REGION, limit: 1 } }));
  await trigger(db, "eu", "eu", "us", "eu");
  t.deepEqual(await runningRegions(db), ["eu", "us"]);
  await work(db, () => success());
  await startRuns(db, "d");
  t.deepEqual(await runningRegions(db), ["eu"]);
  await work(db, () => success());
  await startRuns(db, "d");
  await work(db, () => success());
  t.is((await db.query("select from dag_run where state = 'success'")).rowCount, 4);
});

test("runs of one key that are triggered at once start one at a time", async (t) => {
  const db = await testDatabase(t, { max: 12 });
  await deploy(db, dagSpec("d", [{ id: "a" }], { concurrency: { key: REGION, limit: 1 } }));
  await Promise.all(Array.from({ length: 8 }, () => trigger(db, "eu")));
  t.deepEqual(await runningRegions(db), ["eu"]);
});

test("items of a map share the key of their task", async (t) => {
  const db = await testDatabase(t);
  await deploy(
    db,
    dagSpec("d", [
      { id: "list" },
      { id: "each", kind: "map", mapOver: "list", upstream: ["list"], concurrency: { key: REGION, limit: 3 } },
    ]),
  );
  await trigger(db, "eu");
  const workerId = await worker(db);
  const [list] = (await finishAndClaim(db, workerId, [], MANY)).claimed;
  const outcome = { attemptId: list?.attemptId ?? "", token: list?.token ?? "", ...success([1, 2, 3, 4, 5, 6]) };
  t.is((await finishAndClaim(db, workerId, [outcome], MANY)).claimed.length, 3);
});
