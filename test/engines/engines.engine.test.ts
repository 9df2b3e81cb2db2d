// The whole of it, on the real Spark, metastore, PostgreSQL and FTP server; installs them when they are not in the cache.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { Client } from "basic-ftp";
import { type Config, loadConfig } from "../../src/config.ts";
import {
  type EngineEvent,
  type EngineName,
  engineStatus,
  progressOn,
  type RunningEngines,
  runningEnvironment,
  startEngines,
  stopEngines,
} from "../../src/engines/index.ts";
import { openHive } from "../../src/operators/clients/hive.ts";
import { findByMarker } from "../../src/processes/table.ts";
import { spawnNode, temporaryFolder, until } from "./support/processes.ts";

interface Running {
  config: Config;
  engines: RunningEngines;
  events: EngineEvent[];
}

async function start(config: Config, names?: EngineName[]): Promise<Running> {
  const events: EngineEvent[] = [];
  const options = { progress: progressOn(process.stderr), onEvent: (event: EngineEvent) => void events.push(event) };
  const engines = await startEngines(config, names ? { ...options, names } : options);
  return { config, engines, events };
}

async function ask(environment: Record<string, string>, sql: string): Promise<unknown[][]> {
  const connection = loadConfig(environment).connections.hive_default;
  if (!connection) throw new Error("no connection hive_default");
  const session = await openHive(connection);
  try {
    return (await session.query(sql, { timeoutMs: 120_000, maxRows: 10 })).rows;
  } finally {
    await session.close();
  }
}

async function pidOf(config: Config, name: EngineName): Promise<number> {
  const pid = (await engineStatus(config)).engines.find((engine) => engine.name === name)?.pid;
  if (!pid) throw new Error(`${name} does not run`);
  return pid;
}

/** Kills an engine and waits until the supervisor has it back. */
async function killAndAwait({ config, events }: Running, name: EngineName): Promise<void> {
  const seen = events.length;
  process.kill(await pidOf(config, name), "SIGKILL");
  const back = () => events.slice(seen).some((event) => event.engine === name && event.kind === "ready");
  await until(back, 300_000);
}

test.serial("all engines come up, survive kills at their addresses, and leave nothing behind", async (t) => {
  t.timeout(900_000);
  const home = await temporaryFolder(t);
  const config = loadConfig({ ...process.env, QFLOW_HOME: home });
  await mkdir(join(home, "feed/group1"), { recursive: true });
  await writeFile(join(home, "feed/group1/one.csv"), "a,b\n");
  const running = await start(config);
  t.teardown(() => running.engines.stop());
  const environment = running.engines.environment();
  const before = await engineStatus(config);
  t.deepEqual(
    before.engines.filter(({ state }) => state === "ready").map(({ name }) => name),
    ["postgres", "hive", "ftp"],
  );
  t.false(JSON.stringify(before).includes(loadConfig(environment).connections.ftp_q?.password ?? "?"));
  await t.throwsAsync(start(config), { code: "HOME_IN_USE" });

  await ask(environment, "create table kept (n int) stored as parquet");
  await ask(environment, "insert into kept values (42)");

  const ftp = loadConfig(environment).connections.ftp_q;
  const client = new Client();
  await client.access({ host: ftp?.host, port: ftp?.port, user: ftp?.user, password: ftp?.password });
  t.deepEqual(
    (await client.list("/group1")).map(({ name, size }) => [name, size]),
    [["one.csv", 4]],
  );
  await t.throwsAsync(client.remove("/group1/one.csv"));
  client.close();

  for (const name of ["ftp", "postgres", "hive"] as const) await killAndAwait(running, name);
  t.deepEqual(await ask(environment, "select n from kept"), [[42]]);
  t.deepEqual(
    (await engineStatus(config)).engines.map(({ address }) => address),
    before.engines.map(({ address }) => address),
  );

  await running.engines.stop();
  const { id } = JSON.parse(await readFile(join(home, "instance.json"), "utf8")) as { id: string };
  t.deepEqual(await findByMarker("QFLOW_INSTANCE", id), []);
  t.is((await engineStatus(config)).supervisor, null);
});

test.serial("a supervisor that is killed leaves nothing, and one that is told to stop ends its engines", async (t) => {
  t.timeout(300_000);
  const home = await temporaryFolder(t);
  const config = loadConfig({ ...process.env, QFLOW_HOME: home });
  const supervisor = () =>
    spawnNode(
      t,
      `
      import { progressOn, startEngines } from "${new URL("../../src/engines/index.ts", import.meta.url).href}";
      const options = { names: ["postgres", "ftp"], progress: progressOn(process.stderr), onEvent() {} };
      const engines = await startEngines(${JSON.stringify(config)}, options);
      process.once("SIGTERM", () => engines.stop().then(() => process.exit(0)));
    `,
    );
  const up = async () => (await runningEnvironment(config, ["postgres", "ftp"])) !== null;
  const first = supervisor();
  await until(up, 120_000);
  const { id } = JSON.parse(await readFile(join(home, "instance.json"), "utf8")) as { id: string };
  first.kill("SIGKILL");
  await until(async () => (await findByMarker("QFLOW_INSTANCE", id)).length === 0);

  supervisor();
  await until(up, 120_000);
  t.true(await stopEngines(config));
  t.deepEqual(await findByMarker("QFLOW_INSTANCE", id), []);
  t.false(await stopEngines(config));
});
