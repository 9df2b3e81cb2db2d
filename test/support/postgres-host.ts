/** The process that owns the shared PostgreSQL of a test run: `postgres-host.ts FOLDER RUNNER_PID RUNNER_START_TIME`. */
import { randomBytes } from "node:crypto";
import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureDatabase, type RunningPostgres, startPostgres } from "../../src/engines/postgres.ts";
import { openDatabase } from "../../src/metadata/database.ts";
import { freePort } from "../../src/processes/ports.ts";
import { isAlive, type ProcessIdentity } from "../../src/processes/table.ts";
import { FOLDER_PREFIX, type SharedPostgres, STATE_FILE } from "./postgres.ts";

const TEMPLATE = "qflow_template";

async function main(folder: string, runner: ProcessIdentity): Promise<void> {
  await removeOldFolders();
  const server = await start(folder).catch(async (error: Error) => {
    await publish(folder, { url: "", template: TEMPLATE, error: error.stack ?? error.message });
    return null;
  });
  if (server) await migrateTemplate(folder, server);
  while (await isAlive(runner)) await sleep(200);
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
}

/** Durability is switched off: a test run that crashes starts from nothing anyway. */
async function start(folder: string): Promise<RunningPostgres> {
  return startPostgres({
    dataDir: join(folder, "pg"),
    port: await freePort(),
    password: randomBytes(18).toString("base64url"),
    logFile: join(folder, "postgres.log"),
    cacheDir: join(folder, "cache"),
    instance: `test-${process.pid}`,
    settings: {
      fsync: "off",
      synchronous_commit: "off",
      full_page_writes: "off",
      autovacuum: "off",
      max_connections: "400",
      shared_buffers: "64MB",
    },
  });
}

async function migrateTemplate(folder: string, server: RunningPostgres): Promise<void> {
  const url = server.url("postgres");
  try {
    await ensureDatabase(url, TEMPLATE);
    const { migrate } = await import("../../src/metadata/migrate.ts");
    const database = openDatabase(server.url(TEMPLATE), { max: 2, applicationName: "test-template" });
    try {
      await migrate(database);
    } finally {
      // A template can be cloned only while nobody is connected to it.
      await database.close();
    }
    await publish(folder, { url, template: TEMPLATE });
  } catch (error) {
    await publish(folder, {
      url,
      template: TEMPLATE,
      error: error instanceof Error ? `${error.stack}` : String(error),
    });
  }
}

async function publish(folder: string, state: SharedPostgres): Promise<void> {
  const draft = join(folder, `${STATE_FILE}.tmp`);
  await writeFile(draft, JSON.stringify(state), { mode: 0o600 });
  await rename(draft, join(folder, STATE_FILE));
}

/** Folders of runs whose runner and server are gone, left by a kill -9 of their host. */
async function removeOldFolders(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const [pid, startedAt] = name.startsWith(FOLDER_PREFIX) ? name.slice(FOLDER_PREFIX.length).split("-") : [];
    if (!pid || !startedAt || (await isAlive({ pid: Number(pid), startedAt }))) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

const [folder = "", pid, startedAt = ""] = process.argv.slice(2);
await main(folder, { pid: Number(pid), startedAt });
