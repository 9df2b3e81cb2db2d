import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import pg from "pg";
import { answers, type PostgresOptions, type RunningPostgres, startPostgres } from "../../src/engines/postgres.ts";
import { freePort } from "../../src/processes/ports.ts";
import { findByWorkingFolder } from "../../src/processes/table.ts";
import { spawnNode, temporaryFolder, until } from "./support/processes.ts";

async function layout(folder: string): Promise<PostgresOptions> {
  return {
    dataDir: join(folder, "pg"),
    port: await freePort(),
    password: "p w'd",
    logFile: join(folder, "log/postgres.log"),
    cacheDir: join(folder, "cache"),
    instance: `test-${folder}`,
    settings: { fsync: "off" },
  };
}

async function start(t: ExecutionContext, options: PostgresOptions): Promise<RunningPostgres> {
  const server = await startPostgres(options);
  t.teardown(() => server.stop());
  return server;
}

async function rows(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

test("what was written is there after a stop and a start", async (t) => {
  const options = await layout(await temporaryFolder(t));
  const first = await start(t, options);
  await rows(first.url("postgres"), "create table kept as select 42 as n");
  await first.stop();
  t.false(await answers(options));
  const second = await start(t, options);
  t.deepEqual(await rows(second.url("postgres"), "select n from kept"), [{ n: 42 }]);
});

test("it listens on loopback alone, has no socket file and asks for the password", async (t) => {
  const options = await layout(await temporaryFolder(t));
  const server = await start(t, options);
  t.deepEqual(
    await rows(
      server.url("postgres"),
      "select setting from pg_settings where name in ('listen_addresses', 'unix_socket_directories') order by name",
    ),
    [{ setting: "127.0.0.1" }, { setting: "" }],
  );
  t.false(await answers({ ...options, password: "wrong" }));
});

test("a server that was killed, with a backend still at work, is replaced and keeps what was committed", async (t) => {
  const options = await layout(await temporaryFolder(t));
  const first = await start(t, options);
  await rows(first.url("postgres"), "create table kept as select 1 as n");
  const busy = rows(first.url("postgres"), "do $$ begin loop end loop; end $$");
  busy.catch(() => {});
  await until(async () => {
    const active = "select 1 from pg_stat_activity where query like 'do %' and state = 'active'";
    return (await rows(first.url("postgres"), active)).length === 1;
  });
  process.kill(first.identity.pid, "SIGKILL");
  t.is(await first.exited, "killed by SIGKILL");
  const second = await start(t, options);
  t.deepEqual(await rows(second.url("postgres"), "select n from kept"), [{ n: 1 }]);
  await t.throwsAsync(busy);
});

test("when its parent is killed, nothing of it is left, and the next start works", async (t) => {
  const options = await layout(await temporaryFolder(t));
  const parent = spawnNode(
    t,
    `
    import { startPostgres } from "${new URL("../../src/engines/postgres.ts", import.meta.url).href}";
    await startPostgres(${JSON.stringify(options)});
    setInterval(() => {}, 1000);
  `,
  );
  await until(() => answers(options));
  parent.kill("SIGKILL");
  await until(async () => (await findByWorkingFolder(options.dataDir)).length === 0);
  const again = await start(t, options);
  t.is((await rows(again.url("postgres"), "select 1")).length, 1);
});

test("a port that somebody uses is named", async (t) => {
  const options = await layout(await temporaryFolder(t));
  await start(t, options);
  const other = { ...(await layout(await temporaryFolder(t))), port: options.port };
  const error = await t.throwsAsync(startPostgres(other), { code: "PORT_TAKEN" });
  t.regex(error.message, new RegExp(String(options.port)));
});

if (process.getuid?.() === 0) {
  test("as root it works below a folder that only root may enter", async (t) => {
    const closed = await mkdtemp(join(homedir(), ".qflow-test-"));
    t.teardown(() => rm(closed, { recursive: true, force: true }));
    await chmod(closed, 0o700);
    const home = join(closed, "home");
    await mkdir(home);
    const options = await layout(home);
    const first = await start(t, options);
    await rows(first.url("postgres"), "create table kept as select 1 as n");
    await first.stop();
    const second = await start(t, options);
    t.deepEqual(await rows(second.url("postgres"), "select n from kept"), [{ n: 1 }]);
  });
}
