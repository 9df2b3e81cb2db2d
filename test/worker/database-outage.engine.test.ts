import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { ensureDatabase, startPostgres } from "../../src/engines/postgres.ts";
import { openDatabase } from "../../src/metadata/database.ts";
import { migrate } from "../../src/metadata/migrate.ts";
import { freePort } from "../../src/processes/ports.ts";
import { startWorker } from "../../src/worker/worker.ts";
import { deploy, logOf, runEnd, testConfig, testHome, trigger, until } from "./support.ts";

test("a database that is killed and stays away for 12 s fails no task and loses no line", async (t) => {
  t.timeout(180_000);
  const home = await testHome(t);
  const options = {
    dataDir: join(home, "pg"),
    port: await freePort(),
    password: randomBytes(12).toString("hex"),
    logFile: join(home, "postgres.log"),
    cacheDir: join(home, "cache"),
    instance: "outage",
  };
  let server = await startPostgres(options);
  t.teardown(() => server.stop());
  await ensureDatabase(server.url("postgres"), "qflow");
  const database = openDatabase(server.url("qflow"), { max: 6, applicationName: "test" });
  t.teardown(() => database.close());
  await migrate(database);
  await deploy(
    database,
    `import { dag } from "qflow";
export default dag("outage", {}, (t) => {
  const first = t.task("first", async (_, ctx) => { for (let i = 0; i < 60; i++) { ctx.log.info("line " + i); await new Promise((next) => setTimeout(next, 100)); } return 7; });
  t.task("next", { in: { first } }, ({ first }) => first + 1);
});`,
  );
  const worker = await startWorker({ database, config: testConfig(home), warn: () => {} });
  t.teardown(() => worker.stop("now"));
  const run = await trigger(database, "outage");
  await until(async () => (await logOf(database, run, "first")).length > 5);
  process.kill(server.identity.pid, "SIGKILL");
  await server.exited;
  await sleep(12_000);
  server = await startPostgres(options);
  const end = await runEnd(database, run);
  t.deepEqual(end, { state: "success", tasks: { first: "success", next: "success" } });
  const lines = await logOf(database, run, "first");
  t.deepEqual(
    lines,
    Array.from({ length: 60 }, (_, i) => `info line ${i}`),
  );
  const tries = await database.query("select distinct try_number from task_instance where dag_run_id = $1", [run]);
  t.deepEqual(tries.rows, [{ try_number: 1 }]);
});
