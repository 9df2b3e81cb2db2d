/** What engine benchmarks run on: an embedded PostgreSQL as in production, and real scheduler and worker processes on it. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, open, readdir, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { smallNode } from "../../src/cli/platform/small-node.ts";
import { ensureDatabase, type RunningPostgres, startPostgres } from "../../src/engines/postgres.ts";
import { type Database, openDatabase } from "../../src/metadata/database.ts";
import { migrate } from "../../src/metadata/migrate.ts";
import { freePort } from "../../src/processes/ports.ts";
import { findByMarker } from "../../src/processes/table.ts";
import type { DagFiles } from "./dag-files.ts";
import { childrenOf } from "./processes.ts";

const CLI = resolve(import.meta.dirname, "../../src/cli.ts");
const LOADED_TIMEOUT_MS = 180_000;
const DONE_TIMEOUT_MS = 300_000;

/** How a stand is set up. */
export interface StandOptions {
  readonly dags: DagFiles;
  /** Runner processes of the worker. Default 4, as in production. */
  readonly runners?: number;
  /** Which processes to start; the default is a scheduler and a worker. */
  readonly processes?: readonly StandProcess[];
}

/** A process of qflow. */
export type StandProcess = "scheduler" | "worker" | "api";

/** A running installation of its own. */
export class Stand {
  readonly database: Database;
  readonly env: Record<string, string>;
  readonly #postgres: RunningPostgres;
  readonly #folder: string;
  readonly #children = new Map<StandProcess, ChildProcess>();
  /** Milliseconds of this machine's clock at which each process was started. */
  readonly startedAt = new Map<StandProcess, number>();

  private constructor(folder: string, postgres: RunningPostgres, env: Record<string, string>) {
    this.#folder = folder;
    this.#postgres = postgres;
    this.env = env;
    this.database = openDatabase(env.QFLOW_DATABASE_URL ?? "", { max: 4, applicationName: "bench" });
  }

  /** Starts everything; resolves when every DAG is loaded. All are paused. */
  static async open(options: StandOptions): Promise<Stand> {
    const folder = await mkdtemp(join(tmpdir(), "qflow-bench-"));
    await chmod(folder, 0o755);
    const dags = join(folder, "dags");
    await mkdir(dags);
    for (const [name, source] of Object.entries(options.dags)) await writeFile(join(dags, name), source);
    const instance = `bench-${randomBytes(6).toString("hex")}`;
    const postgres = await startPostgres({
      dataDir: join(folder, "pg"),
      port: await freePort(),
      password: randomBytes(18).toString("base64url"),
      logFile: join(folder, "postgres.log"),
      cacheDir: join(homedir(), ".cache/qflow"),
      instance,
    });
    await ensureDatabase(postgres.url("postgres"), "qflow");
    const stand = new Stand(folder, postgres, {
      ...inherited(),
      QFLOW_HOME: join(folder, "home"),
      QFLOW_DAGS: dags,
      QFLOW_INSTANCE: instance,
      QFLOW_DATABASE_URL: postgres.url("qflow"),
      QFLOW_RUNNERS: String(options.runners ?? 4),
      QFLOW_PORT: String(await freePort()),
    });
    try {
      await stand.#bringUp(options);
      return stand;
    } catch (error) {
      await stand.close();
      throw error;
    }
  }

  async #bringUp(options: StandOptions): Promise<void> {
    await migrate(this.database);
    for (const name of options.processes ?? ["scheduler", "worker"]) await this.startProcess(name);
    await this.untilLoaded();
  }

  /** Adds DAG files and waits until they are loaded. */
  async addDags(files: DagFiles): Promise<void> {
    for (const [name, source] of Object.entries(files)) await writeFile(join(this.env.QFLOW_DAGS ?? "", name), source);
    await this.untilLoaded();
  }

  /** Starts a process of qflow; its output goes to a file of the stand's folder. */
  async startProcess(name: StandProcess): Promise<void> {
    const log = await open(join(this.#folder, `${name}.log`), "a");
    this.startedAt.set(name, Date.now());
    const { args, env } = smallNode([CLI, name], this.env);
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", log.fd, log.fd, "ipc"] });
    this.#children.set(name, child);
    await log.close();
  }

  /** TERM; resolves when the process is gone. */
  async stopProcess(name: StandProcess): Promise<void> {
    const child = this.#children.get(name);
    this.#children.delete(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    await gone;
  }

  /** Every process of qflow of this stand, PostgreSQL's apart. */
  async pids(): Promise<number[]> {
    const marked = await findByMarker("QFLOW_INSTANCE", this.env.QFLOW_INSTANCE ?? "");
    const servers = new Set(await this.serverPids());
    return marked.map(({ pid }) => pid).filter((pid) => !servers.has(pid));
  }

  /** PostgreSQL's own processes. */
  async serverPids(): Promise<number[]> {
    const server = this.#postgres.identity.pid;
    return [server, ...(await childrenOf(server))];
  }

  /** Lets DAGs run whose ids match the pattern (of LIKE). */
  async unpause(pattern = "%"): Promise<void> {
    await this.database.query("update dag set paused = false where dag_id like $1", [pattern]);
  }

  /** Lets them have no more runs. */
  async pause(pattern = "%"): Promise<void> {
    await this.database.query("update dag set paused = true where dag_id like $1", [pattern]);
  }

  /** Creates and starts one run of every DAG that matches, in one transaction, and waits until all have ended. Returns their internal ids. */
  async run(pattern: string): Promise<number[]> {
    const ids = await this.trigger(pattern);
    await this.untilEnded(ids);
    return ids;
  }

  /** Creates and starts one run of every DAG that matches, in one transaction. */
  async trigger(pattern: string): Promise<number[]> {
    const ids = await this.database.transaction(async (sql) => {
      const { rows } = await sql.query<{ id: number }>(
        `select create_run(dag_id, 'manual__' || gen_random_uuid(), version_id, 'manual', null, null, null, null, '{}', '{}', 'bench')::float8 as id
         from dag where dag_id like $1 order by dag_id`,
        [pattern],
      );
      await sql.query("select start_runs(dag_id) from dag where dag_id like $1 order by dag_id", [pattern]);
      await sql.query("select pg_notify('qflow_work', '')");
      return rows.map((row) => row.id);
    });
    if (ids.length === 0) throw new Error(`no DAG is like ${pattern}`);
    return ids;
  }

  /** Throws where a run failed, or takes more than five minutes. */
  async untilEnded(ids: readonly number[]): Promise<void> {
    const deadline = Date.now() + DONE_TIMEOUT_MS;
    for (;;) {
      const { rows } = await this.database.query<{ running: number; failed: number }>(
        `select count(*) filter (where state in ('queued', 'running'))::int as running, count(*) filter (where state = 'failed')::int as failed
         from dag_run where id = any ($1)`,
        [ids],
      );
      if ((rows[0]?.failed ?? 0) > 0)
        throw new Error(`${rows[0]?.failed} runs failed; the logs are in ${this.#folder}`);
      if ((rows[0]?.running ?? 1) === 0) return;
      if (Date.now() > deadline) throw new Error(`runs do not end; the logs are in ${this.#folder}`);
      await sleep(50);
    }
  }

  /** Ends everything and removes every trace. */
  async close(): Promise<void> {
    for (const name of [...this.#children.keys()]) await this.stopProcess(name);
    await this.database.close();
    await this.#postgres.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Resolves when every file of the folder is loaded. */
  async untilLoaded(): Promise<void> {
    const files = (await readdir(this.env.QFLOW_DAGS ?? "")).length;
    const deadline = Date.now() + LOADED_TIMEOUT_MS;
    for (let stable = 0, known = -1; stable < 3; ) {
      if (Date.now() > deadline) throw new Error(`the DAGs are not loaded; the logs are in ${this.#folder}`);
      const { rows } = await this.database.query<{ files: number; dags: number; broken: string | null }>(
        `select count(distinct file)::int as files, count(version_id)::int as dags, (select string_agg(message, '; ') from import_error) as broken from dag`,
      );
      const now = rows[0];
      if (now?.broken) throw new Error(now.broken);
      stable = now?.files === files && now.dags === known ? stable + 1 : 0;
      known = now?.dags ?? -1;
      await sleep(100);
    }
  }
}

/** What the processes need of this one's environment. */
function inherited(): Record<string, string> {
  const { PATH = "", HOME = "", LANG = "C.UTF-8", NODE_COMPILE_CACHE = "" } = process.env;
  return { PATH, HOME, LANG, NODE_COMPILE_CACHE };
}
