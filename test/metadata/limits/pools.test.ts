import test from "ava";
import { changePool, createPool, deletePool, poolWarnings, setPool } from "../../../src/metadata/pools.ts";
import { rescueAttempts } from "../../../src/metadata/rescue.ts";
import { cancelRun, createRun } from "../../../src/metadata/runs.ts";
import { finishAndClaim } from "../../../src/metadata/work.ts";
import { testDatabase } from "../../support/database.ts";
import { dagSpec, deploy, success, type TaskGiven, work, worker } from "../fixtures.ts";

const MANY = { functions: 16, operators: 16 };

function wide(n: number, pool: string): TaskGiven[] {
  return Array.from({ length: n }, (_, i) => ({ id: `t${i}`, pool }));
}

test("a pool is made once, changed, and not deleted while tasks name it", async (t) => {
  const db = await testDatabase(t);
  await createPool(db, { name: "erp", slots: 2, description: "SAP" });
  await t.throwsAsync(createPool(db, { name: "erp", slots: 3, description: "" }), { code: "CONFLICT" });
  t.is(await setPool(db, { name: "erp", slots: 3, description: "SAP" }), "changed");
  await t.throwsAsync(changePool(db, "none", { slots: 1 }), { code: "NOT_FOUND" });
  await t.throwsAsync(changePool(db, "erp", { slots: -1 }), { code: "USAGE" });
  await t.throwsAsync(createPool(db, { name: " x", slots: 1, description: "" }), { code: "USAGE" });
  await t.throwsAsync(deletePool(db, "default_pool"), { code: "CONFLICT" });
  await deploy(db, dagSpec("d", wide(1, "erp")));
  await t.throwsAsync(deletePool(db, "erp"), { code: "CONFLICT", message: /tasks of d use pool erp/ });
  await deploy(db, dagSpec("d", wide(1, "default_pool")));
  await deletePool(db, "erp");
  await t.throwsAsync(deletePool(db, "erp"), { code: "NOT_FOUND" });
});

test("a pool that is made smaller than what is in use ends nothing and starts nothing until there is room", async (t) => {
  const db = await testDatabase(t);
  await createPool(db, { name: "erp", slots: 4, description: "" });
  await deploy(db, dagSpec("d", wide(8, "erp")));
  await createRun(db, { dagId: "d", by: "test" });
  const workerId = await worker(db);
  let { claimed } = await finishAndClaim(db, workerId, [], MANY);
  t.is(claimed.length, 4);
  await changePool(db, "erp", { slots: 2 });
  t.is((await db.query("select from task_attempt where revoked is not null")).rowCount, 0);
  const free: number[] = [];
  for (const task of claimed) {
    const outcome = { attemptId: task.attemptId, token: task.token, ...success() };
    free.push((await finishAndClaim(db, workerId, [outcome], MANY)).claimed.length);
  }
  t.deepEqual(free, [0, 0, 1, 1]);
  await changePool(db, "erp", { slots: 5 });
  ({ claimed } = await finishAndClaim(db, workerId, [], MANY));
  t.is(claimed.length, 2);
});

test("slots of a dead worker's attempts are free as soon as it is known to be dead", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", wide(2, "spark")));
  await createRun(db, { dagId: "d", by: "test" });
  const dead = await worker(db, "elsewhere");
  t.is((await finishAndClaim(db, dead, [], MANY)).claimed.length, 1);
  const alive = await worker(db);
  t.is((await finishAndClaim(db, alive, [], MANY)).claimed.length, 0);
  await db.query("update worker set state = 'lost' where worker_id = $1", [dead]);
  await rescueAttempts(db);
  t.is((await finishAndClaim(db, alive, [], MANY)).claimed.length, 1);
});

test("slots of a cancelled run's attempts are free when those have ended, and not before", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("d", wide(1, "spark")), dagSpec("e", wide(1, "spark")));
  await createRun(db, { dagId: "d", runId: "r", by: "test" });
  const workerId = await worker(db);
  const { claimed } = await finishAndClaim(db, workerId, [], MANY);
  await createRun(db, { dagId: "e", by: "test" });
  await cancelRun(db, "d", "r");
  t.is((await finishAndClaim(db, workerId, [], MANY)).claimed.length, 0);
  const [task] = claimed;
  const error = { code: "TASK_CANCELLED", message: "-", remedy: "-" };
  const outcome = {
    attemptId: task?.attemptId ?? "",
    token: task?.token ?? "",
    state: "failed",
    retry: "fatal",
    error,
  } as const;
  t.deepEqual(
    (await finishAndClaim(db, workerId, [outcome], MANY)).claimed.map((one) => one.dagId),
    ["e"],
  );
});

test("tasks whose pool is not there, or smaller than what they take, are told by name; they start when it is made", async (t) => {
  const db = await testDatabase(t);
  await deploy(
    db,
    dagSpec("d", [{ id: "lost", pool: "erp" }, { id: "big", pool: "spark", poolSlots: 2 }, { id: "fine" }]),
  );
  t.deepEqual(
    (await poolWarnings(db, null)).map(({ dagId, taskId, pool, slots }) => [dagId, taskId, pool, slots]),
    [
      ["d", "lost", "erp", null],
      ["d", "big", "spark", 1],
    ],
  );
  t.deepEqual(await poolWarnings(db, ["other"]), []);
  await createRun(db, { dagId: "d", by: "test" });
  t.deepEqual(
    (await work(db, () => success())).map((task) => task.taskId),
    ["fine"],
  );
  await changePool(db, "spark", { slots: 2 });
  t.deepEqual(
    (await work(db, () => success())).map((task) => task.taskId),
    ["big"],
  );
  // Alone, and with room for it everywhere else.
  t.is((await finishAndClaim(db, await worker(db), [], MANY)).claimed.length, 0);
  await createPool(db, { name: "erp", slots: 1, description: "" });
  t.deepEqual(await poolWarnings(db, null), []);
  t.is((await work(db, () => success())).length, 1);
});
