/** A migrated database that nobody else uses and that is gone afterwards: for tests of DAGs. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureDatabase, type RunningPostgres, startPostgres } from "../engines/postgres.ts";
import { type Database, openDatabase } from "../metadata/database.ts";
import { migrate } from "../metadata/migrate.ts";
import { freePort } from "../processes/ports.ts";

/** What starts fastest: its data is thrown away whatever happens. */
const SETTINGS = { fsync: "off", synchronous_commit: "off", full_page_writes: "off", shared_buffers: "32MB" };
/** The server waits this long for the next database before it is stopped. */
const LINGER_MS = 300;
const CONNECTIONS = 8;

interface Server {
  postgres: RunningPostgres;
  folder: string;
}

let server: Promise<Server> | null = null;
let users = 0;
let linger: NodeJS.Timeout | null = null;

/**
 * Calls `use` with a fresh migrated database on an embedded PostgreSQL of this process, which is started when needed and ends
 * soon after the last use; a killed process leaves none behind. Throws what `use` throws.
 */
export async function withTemporaryDatabase<T>(use: (database: Database) => Promise<T>): Promise<T> {
  users++;
  if (linger) clearTimeout(linger);
  try {
    server ??= start();
    const { postgres } = await server;
    const name = `dags_test_${randomBytes(6).toString("hex")}`;
    await ensureDatabase(postgres.url("postgres"), name);
    const database = openDatabase(postgres.url(name), { max: CONNECTIONS, applicationName: "qflow-test" });
    try {
      await migrate(database);
      return await use(database);
    } finally {
      await database.close();
    }
  } finally {
    users--;
    if (users === 0) linger = setTimeout(() => void stop(), LINGER_MS);
  }
}

async function start(): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), "qflow-dags-test-pg-"));
  const postgres = await startPostgres({
    dataDir: join(folder, "pg"),
    port: await freePort(),
    password: randomBytes(18).toString("base64url"),
    logFile: join(folder, "postgres.log"),
    cacheDir: join(folder, "cache"),
    instance: `dags-test-${process.pid}`,
    settings: SETTINGS,
  });
  return { postgres, folder };
}

async function stop(): Promise<void> {
  const ending = server;
  server = null;
  const running = await ending?.catch(() => null);
  if (!running) return;
  await running.postgres.stop();
  await rm(running.folder, { recursive: true, force: true });
}
