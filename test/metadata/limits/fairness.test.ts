import test from "ava";
import type { Database } from "../../../src/metadata/database.ts";
import { createRun } from "../../../src/metadata/runs.ts";
import { type ClaimedTask, finishAndClaim } from "../../../src/metadata/work.ts";
import { testDatabase } from "../../support/database.ts";
import { dagSpec, deploy, success, type TaskGiven, worker } from "../fixtures.ts";

function wide(n: number, given: Partial<TaskGiven> = {}): TaskGiven[] {
  return Array.from({ length: n }, (_, i) => ({ ...given, id: `t${i}` }));
}

/** Claims and finishes `calls` times with room for `functions` each time; what was claimed, in order. */
async function serve(db: Database, calls: number, functions: number): Promise<ClaimedTask[]> {
  const workerId = await worker(db);
  const served: ClaimedTask[] = [];
  let claimed: readonly ClaimedTask[] = [];
  for (let i = 0; i < calls; i++) {
    const outcomes = claimed.map(({ attemptId, token }) => ({ attemptId, token, ...success() }));
    claimed = (await finishAndClaim(db, workerId, outcomes, { functions, operators: 0 })).claimed;
    served.push(...claimed);
  }
  return served;
}

test("DAGs of one priority take turns, whoever has more waiting, also one slot at a time", async (t) => {
  const db = await testDatabase(t);
  const big = dagSpec("big", wide(200));
  await deploy(db, big, dagSpec("mid", wide(3)), dagSpec("one", wide(1)));
  for (const dagId of ["big", "mid", "one"]) await createRun(db, { dagId, by: "test" });
  const served = (await serve(db, 8, 1)).map((task) => task.dagId);
  t.deepEqual(served, ["big", "mid", "one", "big", "mid", "big", "mid", "big"]);
});

test("a claim of several is shared among DAGs, and runs of a DAG take turns too", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, dagSpec("a", wide(50)), dagSpec("b", wide(50)));
  const first = await createRun(db, { dagId: "a", by: "test" });
  await createRun(db, { dagId: "b", by: "test" });
  const third = await createRun(db, { dagId: "a", by: "test" });
  const served = await serve(db, 2, 8);
  const count = (runId: string) => served.filter((task) => task.runId === runId).length;
  t.is(served.filter((task) => task.dagId === "b").length, 8);
  t.deepEqual([count(first.runId), count(third.runId)], [4, 4]);
});

test("two pools that wait for the same worker take turns", async (t) => {
  const db = await testDatabase(t);
  await db.query("insert into pool (name, slots) values ('other', 5)");
  await deploy(db, dagSpec("a", wide(20)), dagSpec("b", wide(20, { pool: "other" })));
  await createRun(db, { dagId: "a", by: "test" });
  await createRun(db, { dagId: "b", by: "test" });
  const served = (await serve(db, 6, 1)).map((task) => task.dagId);
  t.deepEqual([...served].sort(), ["a", "a", "a", "b", "b", "b"]);
  t.not(served[0], served[1]);
});

test("a higher priority goes first over all pools and lanes, and no full pool or full run hides what is behind it", async (t) => {
  const db = await testDatabase(t);
  await db.query("insert into pool (name, slots) values ('tiny', 1)");
  await deploy(
    db,
    dagSpec("blocked", wide(60, { pool: "tiny", priority: 50 })),
    dagSpec("capped", wide(60, { priority: 40 }), { maxActiveTasks: 1 }),
    dagSpec("urgent", wide(2, { priority: 9 })),
    dagSpec("calm", wide(2)),
  );
  for (const dagId of ["blocked", "capped", "calm", "urgent"]) await createRun(db, { dagId, by: "test" });
  const workerId = await worker(db);
  const { claimed } = await finishAndClaim(db, workerId, [], { functions: 5, operators: 0 });
  t.deepEqual(
    claimed.map((task) => task.dagId),
    ["blocked", "capped", "urgent", "urgent", "calm"],
  );
});

test("function tasks do not keep a pool from operators that share it", async (t) => {
  const db = await testDatabase(t);
  await db.query("insert into pool (name, slots) values ('tiny', 1)");
  const operator = { kind: "operator", operator: { name: "op", config: {} } } as const;
  await deploy(db, dagSpec("f", wide(20, { pool: "tiny" })), dagSpec("o", wide(20, { pool: "tiny", ...operator })));
  await createRun(db, { dagId: "f", by: "test" });
  await createRun(db, { dagId: "o", by: "test" });
  const workerId = await worker(db);
  const served: string[] = [];
  let claimed: readonly ClaimedTask[] = [];
  for (let i = 0; i < 6; i++) {
    const outcomes = claimed.map(({ attemptId, token }) => ({ attemptId, token, ...success() }));
    claimed = (await finishAndClaim(db, workerId, outcomes, { functions: 3, operators: 3 })).claimed;
    served.push(...claimed.map((task) => task.dagId));
  }
  t.deepEqual([...served].sort(), ["f", "f", "f", "o", "o", "o"]);
});

test("a slot that is given back and not taken again wakes the workers of what waits for it", async (t) => {
  const db = await testDatabase(t);
  await deploy(
    db,
    dagSpec("d", [
      { id: "a", pool: "spark" },
      { id: "b", pool: "spark", queue: "heavy" },
    ]),
  );
  await createRun(db, { dagId: "d", by: "test" });
  const [light, heavy] = [await worker(db), await worker(db)];
  await db.query("update worker set queues = '{heavy}' where worker_id = $1", [heavy]);
  const room = { functions: 1, operators: 0 };
  const [task] = (await finishAndClaim(db, light, [], room)).claimed;
  t.deepEqual((await finishAndClaim(db, heavy, [], room)).claimed, []);
  const woken = Promise.withResolvers<void>();
  const listener = await db.connect();
  listener.once("notification", () => woken.resolve());
  await listener.query("listen qflow_work");
  await finishAndClaim(db, light, [{ attemptId: task?.attemptId ?? "", token: task?.token ?? "", ...success() }], room);
  await woken.promise;
  listener.release(true);
  t.deepEqual(
    (await finishAndClaim(db, heavy, [], room)).claimed.map((one) => one.taskId),
    ["b"],
  );
});
