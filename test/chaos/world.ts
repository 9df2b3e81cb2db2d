/** A small platform to be broken: PostgreSQL as in production, schedulers and workers as processes, a proxy before the database. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { smallNode } from "../../src/cli/platform/small-node.ts";
import {
  ensureDatabase,
  type PostgresOptions,
  type RunningPostgres,
  startPostgres,
} from "../../src/engines/postgres.ts";
import { type Database, openDatabase } from "../../src/metadata/database.ts";
import { findViolations } from "../../src/metadata/invariants.ts";
import { migrate } from "../../src/metadata/migrate.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { freePort } from "../../src/processes/ports.ts";
import { findMarked } from "../../src/processes/table.ts";
import { deploy } from "../worker/support.ts";
import { ChaosProxy } from "./proxy.ts";

/** A process of the platform. */
export interface Member {
  readonly kind: "scheduler" | "worker";
  readonly child: ChildProcess;
}

/** Where and when a process believes to be; absent = here and now. */
export interface Setting {
  /** QFLOW_HOME of a worker. */
  readonly home?: string;
  /** What its clock is ahead by, and the zone of its machine. */
  readonly clock?: { readonly shiftMs: number; readonly timezone: string };
}

/**
 * Tasks that take a while, fail once, and are mapped; `long` runs until it is told to end, at its first try. None has a try to
 * spare: whatever is done to processes and server must cost none.
 */
const DAGS = `import { dag } from "qflow";
const nap = (ms) => new Promise((next) => setTimeout(next, ms));
export const mixed = dag("mixed", { maxActiveRuns: 50 }, (t) => {
  const list = t.task("list", async () => { await nap(100 + Math.random() * 300); return [1, 2, 3]; });
  const work = t.map("work", list, async (n, ctx) => { ctx.log.info("item " + n); await nap(100 + Math.random() * 500); return n; });
  t.task("sum", { in: { work } }, async ({ work }) => { await nap(100); return work.reduce((a, b) => a + b, 0); });
});
export const long = dag("long", { maxActiveRuns: 50 }, (t) => {
  t.task("t", async (inputs, ctx) => { if (ctx.tryNumber === 1) await nap(600000); return ctx.tryNumber; });
});
export const again = dag("again", { maxActiveRuns: 50 }, (t) => {
  t.task("t", { retries: 1, retryDelay: "10ms" }, (inputs, ctx) => { if (ctx.tryNumber === 1) throw new Error("as told"); return 1; });
});
export const quick = dag("quick", { maxActiveRuns: 50 }, (t) => { t.task("t", () => 1); });
`;

interface WorldParts {
  readonly postgres: RunningPostgres;
  readonly proxy: ChaosProxy;
  readonly isKept: boolean;
}

/** Everything of one run of chaos. */
export class World {
  readonly home: string;
  readonly db: Database;
  readonly proxy: ChaosProxy;
  readonly members = new Set<Member>();
  readonly #options: PostgresOptions;
  #postgres: RunningPostgres;
  readonly #isKept: boolean;

  private constructor(home: string, options: PostgresOptions, parts: WorldParts) {
    this.home = home;
    this.#isKept = parts.isKept;
    this.#options = options;
    this.#postgres = parts.postgres;
    this.proxy = parts.proxy;
    this.db = openDatabase(parts.postgres.url("qflow"), { max: 6, applicationName: "chaos" });
  }

  /** Starts with what is in the folder, which then is kept; without one, anew in a folder of its own. */
  static async start(folder?: string): Promise<World> {
    const home = folder ?? (await mkdtemp(join(tmpdir(), "qflow-chaos-")));
    if (folder) await mkdir(folder, { recursive: true });
    const options: PostgresOptions = {
      dataDir: join(home, "pg"),
      port: await freePort(),
      password: "chaos",
      logFile: join(home, "postgres.log"),
      cacheDir: join(home, "cache"),
      instance: `chaos-${process.pid}`,
    };
    const postgres = await startPostgres(options);
    await ensureDatabase(postgres.url("postgres"), "qflow");
    const proxy = await ChaosProxy.before(options.port);
    const world = new World(home, options, { postgres, proxy, isKept: folder !== undefined });
    await migrate(world.db);
    await deploy(world.db, DAGS);
    return world;
  }

  /** Starts a scheduler; `through` = by way of the proxy. */
  scheduler(through: "proxy" | "direct" = "direct", setting: Setting = {}): Member {
    return this.#spawn("scheduler", "scheduler-process.ts", [this.#url(through)], setting);
  }

  /** Starts a worker that says it is on `host` (empty = this one). */
  worker(host = "", through: "proxy" | "direct" = "direct", setting: Setting = {}): Member {
    return this.#spawn("worker", "worker-process.ts", [this.#url(through), setting.home ?? this.home, host], setting);
  }

  /** kill -9, and the end of it. */
  async kill(member: Member): Promise<void> {
    this.members.delete(member);
    const gone = exitOf(member.child);
    member.child.kill("SIGKILL");
    await gone;
  }

  /** As `pg_ctl -m immediate`: no checkpoint, then the server is started again. Resolves to when it answers. */
  async restartPostgres(): Promise<number> {
    const ended = this.#postgres.exited;
    process.kill(this.#postgres.identity.pid, "SIGQUIT");
    await ended;
    this.#postgres = await startPostgres(this.#options);
    return performance.now();
  }

  /** Ends every connection to the database but one's own. */
  async terminateBackends(): Promise<void> {
    await this.db
      .query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'qflow' and pid <> pg_backend_pid()",
      )
      .catch(() => {});
  }

  /** Process id of the database server. */
  get postgresPid(): number {
    return this.#postgres.identity.pid;
  }

  /** Makes a run; its key. Asked for until the database answers. */
  async run(dagId: string): Promise<number> {
    for (;;) {
      const made = await createRun(this.db, { dagId, by: "chaos" }).catch(() => null);
      if (made) return made.id;
      await sleep(200);
    }
  }

  /** Waits until a statement gives a row. Resolves to the milliseconds it took; throws when it takes too long. */
  async until(statement: string, values: unknown[], withinMs: number): Promise<number> {
    const startedAt = performance.now();
    for (;;) {
      const found = await this.db.query(statement, values).catch(() => null);
      if (found && (found.rowCount ?? 0) > 0) return Math.round(performance.now() - startedAt);
      if (performance.now() - startedAt > withinMs) throw new Error(`not within ${withinMs} ms: ${statement}`);
      await sleep(20);
    }
  }

  /** Waits for the end of a run. */
  runEnded(run: number, withinMs: number): Promise<number> {
    return this.until("select from dag_run where id = $1 and state in ('success', 'failed')", [run], withinMs);
  }

  /** Waits until the last attempt of a run's task runs under this try. */
  tryRuns(run: number, tryNumber: number, withinMs: number): Promise<number> {
    return this.until(
      "select from task_instance where dag_run_id = $1 and state = 'running' and try_number = $2",
      [run, tryNumber],
      withinMs,
    );
  }

  /** Waits until this try of a run's only task has started, ended or not. */
  tryStarted(run: number, tryNumber: number, withinMs: number): Promise<number> {
    return this.until(
      "select from task_instance where dag_run_id = $1 and try_number >= $2 and started_at is not null",
      [run, tryNumber],
      withinMs,
    );
  }

  /** Removes a run that was to fail: {@link problems} takes no other. */
  async forget(run: number): Promise<void> {
    await this.db.query("delete from dag_run where id = $1", [run]);
  }

  /** What is wrong: invariants, runs that did not succeed, processes of attempts that are over. */
  async problems(): Promise<string[]> {
    const found = (await findViolations(this.db)).map((one) => `${one.invariant}: ${one.problem}: ${one.subject}`);
    const failed = await this.db.query<{ text: string }>(
      `select format('run %s failed: %s: %s', r.id, t.task_id, a.error ->> 'message') as text
       from dag_run r join task_instance t on t.dag_run_id = r.id left join task_attempt a on a.attempt_id = t.attempt_id
       where r.state = 'failed' and t.state = 'failed' limit 5`,
    );
    found.push(...failed.rows.map(({ text }) => text));
    const living = await this.db.query<{ token: string }>(
      "select token::text from task_attempt where state = 'running'",
    );
    const tokens = new Set(living.rows.map(({ token }) => token));
    for (const process of await findMarked("QFLOW_ATTEMPT")) {
      const isOurs = process.environment.get("QFLOW_INSTANCE") === `test-${this.home}`;
      const attempt = process.environment.get("QFLOW_ATTEMPT") ?? "";
      if (isOurs && !tokens.has(attempt)) found.push(`process ${process.pid} of ended attempt ${attempt}`);
    }
    return found;
  }

  /** Ends everything that this world started. */
  async stop(): Promise<void> {
    for (const member of [...this.members]) {
      member.child.kill("SIGCONT");
      await this.kill(member);
    }
    await this.proxy.close();
    await this.db.close();
    await this.#postgres.stop();
    // Runners of killed workers may still be on their way out.
    if (!this.#isKept) await rm(this.home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  #url(through: "proxy" | "direct"): string {
    const url = new URL(this.#postgres.url("qflow"));
    if (through === "proxy") url.port = String(this.proxy.port);
    return url.href;
  }

  #spawn(kind: Member["kind"], script: string, args: string[], { clock }: Setting): Member {
    const preload = clock ? ["--import", join(import.meta.dirname, "shifted-clock.ts")] : [];
    const shifted: Record<string, string> = clock ? { CHAOS_SHIFT_MS: String(clock.shiftMs), TZ: clock.timezone } : {};
    const small = smallNode([...preload, join(import.meta.dirname, script), ...args], shifted);
    const env = { ...process.env, ...small.env };
    const child = spawn(process.execPath, small.args, { stdio: ["ignore", "ignore", "ignore"], env });
    const member: Member = { kind, child };
    this.members.add(member);
    child.once("exit", () => this.members.delete(member));
    return member;
  }
}

/** Resolves when a process is gone. */
export async function exitOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((gone) => child.once("exit", () => gone()));
}
