/** The embedded PostgreSQL: creates a data folder, runs the server on loopback, heals what a kill left behind. */
import { spawn } from "node:child_process";
import { chown, mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import pg from "pg";
import { messageOf } from "../errors.ts";
import { endProcesses } from "../processes/ending.ts";
import { INSTANCE_MARKER } from "../processes/markers.ts";
import { requireFreePort } from "../processes/ports.ts";
import { findByWorkingFolder } from "../processes/table.ts";
import { chooseAccount, giveTo, type RunAs } from "./account.ts";
import { engineFailed, type OnStarted, untilReady } from "./engine.ts";
import { exists } from "./files.ts";
import { postgresBinaries } from "./postgres-binaries.ts";
import { type EngineProcess, startProcess } from "./process.ts";

/** The superuser that initdb creates; qflow connects as it. */
export const POSTGRES_USER = "qflow";

const READY_TIMEOUT_MS = 60_000;

/** How one server is laid out. */
export interface PostgresOptions {
  /** Is told of the process before it is ready. */
  readonly onStarted?: OnStarted;
  readonly dataDir: string;
  /** TCP port on 127.0.0.1. */
  readonly port: number;
  /** Password of {@link POSTGRES_USER}, set when the data folder is created. */
  readonly password: string;
  readonly logFile: string;
  /** Where a copy of the programs may be kept when the npm package cannot be used in place. */
  readonly cacheDir: string;
  /** Marker of the QFLOW_HOME, see `INSTANCE_MARKER`. */
  readonly instance: string;
  /** Server settings beyond our own, e.g. `{ fsync: "off" }`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A server that answers queries. */
export interface RunningPostgres extends EngineProcess {
  /** Connection URL of a database, with the password. */
  url(database: string): string;
}

/** Connection URL of a database of this server, with the password. */
export function postgresUrl(options: Pick<PostgresOptions, "port" | "password">, database: string): string {
  return `postgres://${POSTGRES_USER}:${encodeURIComponent(options.password)}@127.0.0.1:${options.port}/${database}`;
}

/**
 * Starts the server, creating the data folder at the first time and ending whatever an earlier server of this folder left.
 * Resolves when it answers a query. Throws PORT_TAKEN, PREREQUISITE_MISSING or ENGINE_FAILED.
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const native = await postgresBinaries(options.cacheDir);
  const parent = dirname(options.dataDir);
  await mkdir(parent, { recursive: true });
  await mkdir(dirname(options.logFile), { recursive: true });
  const runAs = await chooseAccount([native, join(native, "bin/postgres"), parent]);
  await endLeftovers(options.dataDir);
  await requireFreePort(options.port, "PostgreSQL");
  if (!(await exists(join(options.dataDir, "PG_VERSION")))) await createDataDir(native, runAs, options);
  else if (runAs.user) await giveTo(options.dataDir, runAs.user);
  const server = await startProcess({
    name: "PostgreSQL",
    ...commandLine(runAs, join(native, "bin/postgres"), serverArguments(options)),
    env: environment(options.instance),
    cwd: "/",
    logFile: options.logFile,
    stopSignals: [
      { signal: "SIGINT", patienceMs: 15_000 },
      { signal: "SIGQUIT", patienceMs: 5_000 },
    ],
  });
  options.onStarted?.(server);
  await untilReady(server, () => answers(options), {
    title: "PostgreSQL",
    timeoutMs: READY_TIMEOUT_MS,
    pollMs: 30,
    logFile: options.logFile,
  });
  return { ...server, url: (database) => postgresUrl(options, database) };
}

/** Creates a database when it does not exist yet. `url` names the server and any database of it. */
export async function ensureDatabase(url: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const found = await client.query("select 1 from pg_database where datname = $1", [name]);
    if (found.rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}

function serverArguments(options: PostgresOptions): string[] {
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(options.port),
    unix_socket_directories: "",
    max_connections: "200",
    log_line_prefix: "%m [%p] %a ",
    ...options.settings,
  };
  return ["-D", options.dataDir, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])];
}

function commandLine(
  runAs: RunAs,
  program: string,
  args: readonly string[],
): { command: string; args: string[]; user?: { uid: number; gid: number } } {
  const [command = "", ...rest] = [...runAs.prefix, program, ...args];
  return { command, args: rest, ...(runAs.user ? { user: runAs.user } : {}) };
}

function environment(instance: string): Record<string, string> {
  return { PATH: "/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C", TZ: "UTC", [INSTANCE_MARKER]: instance };
}

/** A server that outlived its supervisor, or backends that outlived their server, hold the data folder: they must go first. */
async function endLeftovers(dataDir: string): Promise<void> {
  const left = await findByWorkingFolder(dataDir);
  await endProcesses(left, { first: "SIGINT", patienceMs: 3_000, killPatienceMs: Number.POSITIVE_INFINITY });
  // Nobody works in the folder now, so its pid file is stale, even when its number belongs to another process today.
  await rm(join(dataDir, "postmaster.pid"), { force: true });
}

/** initdb into a folder beside, renamed when complete: a kill in between is healed by the next start. */
async function createDataDir(native: string, runAs: RunAs, options: PostgresOptions): Promise<void> {
  const draft = join(dirname(options.dataDir), `.${basename(options.dataDir)}.new`);
  const passwordFile = `${draft}.pw`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  await rm(passwordFile, { force: true });
  await writeFile(passwordFile, options.password, { mode: 0o600 });
  if (runAs.user) {
    await chown(draft, runAs.user.uid, runAs.user.gid);
    await chown(passwordFile, runAs.user.uid, runAs.user.gid);
  }
  try {
    await runInitdb(native, runAs, draft, passwordFile, options);
    await rename(draft, options.dataDir);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function runInitdb(
  native: string,
  runAs: RunAs,
  draft: string,
  passwordFile: string,
  options: PostgresOptions,
): Promise<void> {
  const flags = [
    "-D",
    draft,
    "-U",
    POSTGRES_USER,
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
  ];
  flags.push("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions");
  if (options.settings?.fsync === "off") flags.push("--no-sync");
  const { command, args, user } = commandLine(runAs, join(native, "bin/initdb"), flags);
  const log = await open(options.logFile, "a", 0o600);
  const ended = await new Promise<string>((settle) => {
    const child = spawn(command, args, {
      cwd: "/",
      env: environment(options.instance),
      stdio: ["ignore", log.fd, log.fd],
      ...(user ?? {}),
    });
    child.once("error", (error) => settle(messageOf(error)));
    child.once("exit", (code, signal) => settle(code === 0 ? "" : `exit ${signal ?? code}`));
  });
  await log.close();
  if (ended !== "") throw engineFailed(`initdb failed: ${ended}`, options.logFile);
}

/** Whether a query is answered: what "ready" means for this engine. */
export async function answers(options: Pick<PostgresOptions, "port" | "password">): Promise<boolean> {
  const client = new pg.Client({ connectionString: postgresUrl(options, "postgres"), connectionTimeoutMillis: 2_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("select 1");
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}
