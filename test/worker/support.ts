/** A worker on a database of its own, for tests: real processes, real bundles, no scheduler. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { ExecutionContext } from "ava";
import { type Config, loadConfig } from "../../src/config.ts";
import { dagsIn } from "../../src/dag/dag.ts";
import { resolveFromInstallation } from "../../src/dag/installation.ts";
import type { Json } from "../../src/dag/spec.ts";
import type { Database } from "../../src/metadata/database.ts";
import { cancelRun, createRun, unpauseDag } from "../../src/metadata/runs.ts";
import { storeVersions } from "../../src/metadata/versions.ts";
import { readLog } from "../../src/metadata/work.ts";
import { startWorker, type Worker } from "../../src/worker/worker.ts";
import { testDatabase } from "../support/database.ts";

/** A home folder that is removed when the test ends. */
export async function testHome(t: ExecutionContext): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "qflow-worker-"));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  return home;
}

/** Settings of a worker for tests. */
export function testConfig(home: string, extra: Record<string, string> = {}): Config {
  const { PATH, HOME } = process.env;
  return loadConfig({ PATH, HOME, QFLOW_HOME: home, QFLOW_RUNNERS: "2", QFLOW_INSTANCE: `test-${home}`, ...extra });
}

/** Everything a test of the worker needs. */
export interface Bench {
  db: Database;
  home: string;
  config: Config;
  worker: Worker;
  /** What the worker told its operator. */
  warnings: string[];
}

/** A database, a home and a running worker. */
export async function bench(t: ExecutionContext, env: Record<string, string> = {}): Promise<Bench> {
  const db = await testDatabase(t);
  const home = await testHome(t);
  const config = testConfig(home, env);
  const warnings: string[] = [];
  const worker = await startWorker({
    database: db,
    config,
    warn: (message) => {
      warnings.push(message);
      if (process.env.QFLOW_TEST_VERBOSE) console.error(message);
    },
  });
  t.teardown(() => worker.stop("now"));
  return { db, home, config, worker, warnings };
}

/** Stores the DAGs that a module's source exports, and unpauses them. */
export async function deploy(db: Database, source: string): Promise<string[]> {
  const hash = createHash("sha256").update(source).digest("hex");
  const folder = join(tmpdir(), "qflow-test-bundles");
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${hash}.mjs`);
  await writeFile(path, source);
  resolveFromInstallation();
  const dags = dagsIn((await import(pathToFileURL(path).href)) as Record<string, unknown>);
  const file = `${hash}.ts`;
  const present = await db.query<{ file: string }>("select distinct file from dag");
  const specs = dags.map((dag) => dag.spec);
  await storeVersions(
    db,
    [{ file, bundle: { hash, code: source, source }, dags: specs }],
    [file, ...present.rows.map((row) => row.file)],
  );
  for (const dag of dags) await unpauseDag(db, dag.id);
  return dags.map((dag) => dag.id);
}

/** A DAG of one task `t` with this function body; `ctx` and `inputs` are in scope. */
export function oneTask(id: string, body: string, options = "{}"): string {
  return `import { dag, Skip, Fail } from "qflow";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
export default dag(${JSON.stringify(id)}, {}, (t) => { t.task("t", ${options}, async (inputs, ctx) => { ${body} }); });
`;
}

/** Makes a run; answers its key in the database. */
export async function trigger(db: Database, dagId: string, conf: Json = {}): Promise<number> {
  return (await createRun(db, { dagId, conf, by: "test" })).id;
}

/** Cancels a run. */
export async function cancel(db: Database, run: number): Promise<void> {
  const found = await db.query<{ dag_id: string; run_id: string }>("select dag_id, run_id from dag_run where id = $1", [
    run,
  ]);
  for (const row of found.rows) await cancelRun(db, row.dag_id, row.run_id);
}

/** Final state of a run and of its tasks. */
export interface RunStates {
  state: string;
  tasks: Record<string, string>;
}

/** A machine that is busy, or paused, is slow; what never comes does not come in two minutes either. */
const PATIENCE_MS = 120_000;

/** Waits for the end of a run. There is no scheduler: due retries are queued here. */
export async function runEnd(db: Database, run: number, withinMs = PATIENCE_MS): Promise<RunStates> {
  await until(async () => {
    await db.query(
      "update task_instance set state = 'queued', queued_at = now() where state = 'up_for_retry' and wake_at <= now() and dag_run_id = $1",
      [run],
    );
    const row = await db.query<{ state: string }>("select state from dag_run where id = $1", [run]);
    return ["success", "failed"].includes(row.rows[0]?.state ?? "");
  }, withinMs);
  return states(db, run);
}

/** States of a run and its tasks now; mapped instances as `task[index]`. */
export async function states(db: Database, run: number): Promise<RunStates> {
  const rows = await db.query<{ task: string; state: string; run: string }>(
    `select t.task_id || case when t.map_index >= 0 then '[' || t.map_index || ']' else '' end as task, t.state, r.state as run
     from task_instance t join dag_run r on r.id = t.dag_run_id where r.id = $1 order by t.task_index, t.map_index`,
    [run],
  );
  return { state: rows.rows[0]?.run ?? "", tasks: Object.fromEntries(rows.rows.map((row) => [row.task, row.state])) };
}

/** The attempts of a run's task `t`, oldest first. */
export async function attempts(db: Database, run: number, task = "t") {
  const rows = await db.query<{
    attempt_id: string;
    token: string;
    state: string;
    error: { code: string; message: string } | null;
  }>(
    `select a.attempt_id, a.token, a.state, a.error from task_attempt a join task_instance t on t.id = a.task_instance_id
     where t.dag_run_id = $1 and t.task_id = $2 order by a.try_number`,
    [run, task],
  );
  return rows.rows;
}

/** Log lines of the last attempt of a run's task, as `level text`. */
export async function logOf(db: Database, run: number, task = "t"): Promise<string[]> {
  const last = (await attempts(db, run, task)).at(-1);
  if (!last) return [];
  const page = await readLog(db, last.attempt_id, 1, 100_000);
  return page.lines.map((line) => `${line.level} ${line.text}`);
}

/** The value a task returned. */
export async function xcomOf(db: Database, run: number, task = "t"): Promise<unknown> {
  const rows = await db.query<{ value: unknown }>(
    `select coalesce(x.value, b.value) as value from task_instance t join xcom x on x.task_instance_id = t.id
     left join xcom_blob b on b.hash = x.blob_hash where t.dag_run_id = $1 and t.task_id = $2`,
    [run, task],
  );
  return rows.rows[0]?.value;
}

/** Whether a process lives; a zombie does not. */
export function isProcessAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Polls until the condition holds. */
export async function until(condition: () => Promise<boolean> | boolean, withinMs = PATIENCE_MS): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms`);
    await sleep(20);
  }
}
