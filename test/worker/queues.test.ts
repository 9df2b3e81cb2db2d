import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { Database } from "../../src/metadata/database.ts";
import { testDatabase } from "../support/database.ts";
import { deploy, oneTask, runEnd, states, testHome, trigger, until } from "./support.ts";

/** A worker as a process of its own; resolves its exit when asked. */
function start(t: ExecutionContext, db: Database, home: string, ...settings: string[]) {
  const script = join(import.meta.dirname, "worker-process.ts");
  const child = spawn(process.execPath, [script, db.url, home, ...settings], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const exit = new Promise<number | null>((gone) => child.once("exit", (code) => gone(code)));
  t.teardown(async () => {
    child.kill("SIGTERM");
    child.kill("SIGTERM");
    await exit;
  });
  return { child, exit };
}

test.serial("workers take only what is in their queues", async (t) => {
  const db = await testDatabase(t);
  await deploy(db, oneTask("light", "return 1;"));
  await deploy(db, oneTask("heavy", "return 1;", '{ queue: "heavy" }'));
  const first = await testHome(t);
  start(t, db, first, "QFLOW_QUEUES=default,other");
  const light = await trigger(db, "light");
  const heavy = await trigger(db, "heavy");
  t.is((await runEnd(db, light)).tasks.t, "success");
  t.is((await states(db, heavy)).tasks.t, "queued");
  start(t, db, await testHome(t), "QFLOW_QUEUES=heavy");
  t.is((await runEnd(db, heavy)).tasks.t, "success");
  const took = await db.query(
    `select i.dag_id, w.queues from task_attempt a join worker w using (worker_id) join task_instance i on i.id = a.task_instance_id
     order by 1`,
  );
  t.deepEqual(took.rows, [
    { dag_id: "heavy", queues: ["heavy"] },
    { dag_id: "light", queues: ["default", "other"] },
  ]);
});

test.serial("what does not end within the drain time is handed back and counts as no try", async (t) => {
  const db = await testDatabase(t);
  const home = await testHome(t);
  const file = join(home, "started");
  const body = `writeFileSync(${JSON.stringify(file)} + ctx.tryNumber, "1");
    if (ctx.tryNumber === 1) await new Promise(() => setInterval(() => {}, 1000)); return 1;`;
  await deploy(db, oneTask("long", body));
  const worker = start(t, db, home, "QFLOW_DRAIN=1");
  const run = await trigger(db, "long");
  await until(() => existsSync(`${file}1`));
  worker.child.kill("SIGTERM");
  t.is(await worker.exit, 0);
  t.is((await states(db, run)).tasks.t, "queued");
  const counted = await db.query(
    "select try_number - uncounted_tries as counted from task_instance where dag_run_id = $1",
    [run],
  );
  t.deepEqual(counted.rows, [{ counted: 0 }]);
  start(t, db, await testHome(t));
  t.is((await runEnd(db, run)).tasks.t, "success");
});
