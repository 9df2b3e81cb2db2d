/** Compiled DAGs and an in-process worker, for tests of the core. */
import { createHash, randomUUID } from "node:crypto";
import type { DagSpec, TaskSpec } from "../../src/dag/spec.ts";
import type { Database } from "../../src/metadata/database.ts";
import { createRun, unpauseDag } from "../../src/metadata/runs.ts";
import { type StoreReport, storeVersions } from "../../src/metadata/versions.ts";
import { type AttemptOutcome, type ClaimedTask, finishAndClaim, registerWorker } from "../../src/metadata/work.ts";

/** What a task of a test is, beyond its id and its upstreams. */
export type TaskGiven = Partial<Omit<TaskSpec, "taskId" | "index" | "downstream">> & { id: string };

/** A compiled DAG; tasks in topological order. */
export function dagSpec(dagId: string, tasks: readonly TaskGiven[], given: Partial<DagSpec> = {}): DagSpec {
  return {
    format: 1,
    dagId,
    doc: null,
    owner: null,
    tags: [],
    schedule: null,
    start: null,
    end: null,
    catchup: "latest",
    maxActiveRuns: 16,
    maxActiveTasks: 64,
    params: null,
    datasets: [],
    tasks: tasks.map((task, index) => taskSpec(task, index, tasks)),
    ...given,
  };
}

function taskSpec({ id, ...given }: TaskGiven, index: number, all: readonly TaskGiven[]): TaskSpec {
  return {
    taskId: id,
    index,
    kind: "function",
    operator: null,
    inputs: {},
    upstream: [],
    downstream: all.filter((other) => other.upstream?.includes(id)).map((other) => other.id),
    mapOver: null,
    branchTargets: {},
    rule: "all_success",
    retry: { retries: 0, delayMs: 0, factor: 2, maxMs: 60_000, jitter: "none" },
    timeoutMs: null,
    pool: "default_pool",
    poolSlots: 1,
    priority: 0,
    maxActive: null,
    reads: [],
    emits: [],
    doc: null,
    line: null,
    ...given,
  };
}

/** Stores DAGs as one file and lets them run. */
export async function deploy(db: Database, ...dags: DagSpec[]): Promise<StoreReport> {
  const report = await storeVersions(db, [fileOf("dags/test.ts", dags)]);
  for (const spec of dags) await unpauseDag(db, spec.dagId);
  return report;
}

/** A loaded DAG file. */
export function fileOf(file: string, dags: readonly DagSpec[], code = "export default 1;") {
  const bundle = { hash: createHash("sha256").update(code).digest("hex"), code, source: code };
  return { file, bundle, dags };
}

/** A worker session. */
export async function worker(db: Database, hostId = "host"): Promise<string> {
  const { workerId } = await registerWorker(db, { hostId, pid: process.pid, pidStartedAt: "1", marker: randomUUID() });
  return workerId;
}

/** How a test's task ends. */
export type Ending = DistributiveOmit<AttemptOutcome, "attemptId" | "token">;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** A task failing for good. */
export const FAILED: Ending = {
  state: "failed",
  error: { code: "TASK_FAILED", message: "no", remedy: "-" },
  retry: "retryable",
};

/** Success with a value. */
export function success(value: Extract<Ending, { state: "success" }>["value"] = null): Ending {
  return { state: "success", value };
}

/** Runs everything that is queued until nothing is, one batch a call. Returns what it ran, in order. */
export async function work(
  db: Database,
  run: (task: ClaimedTask) => Ending,
  options: { workerId?: string; batch?: number } = {},
): Promise<ClaimedTask[]> {
  const workerId = options.workerId ?? (await worker(db));
  const capacity = { functions: options.batch ?? 16, operators: options.batch ?? 16 };
  const ran: ClaimedTask[] = [];
  let outcomes: AttemptOutcome[] = [];
  for (;;) {
    const reply = await finishAndClaim(db, workerId, outcomes, capacity);
    if (reply.claimed.length === 0) return ran;
    ran.push(...reply.claimed);
    outcomes = reply.claimed.map((task) => ({ attemptId: task.attemptId, token: task.token, ...run(task) }));
  }
}

/** State of every instance by `task` or, mapped, `task[i]`, and of the run. */
export async function statesOf(db: Database, runKey: number): Promise<{ run: string; tasks: Record<string, string> }> {
  const rows = await db.query<{ name: string; state: string }>(
    `select task_id || case when map_index >= 0 then '[' || map_index || ']' else '' end as name, state
     from task_instance where dag_run_id = $1 order by task_index, map_index`,
    [runKey],
  );
  const run = await db.query<{ state: string }>("select state from dag_run where id = $1", [runKey]);
  return {
    run: run.rows[0]?.state as string,
    tasks: Object.fromEntries(rows.rows.map((row) => [row.name, row.state])),
  };
}

/** Deploys one DAG, runs it once to its end, and tells how everything ended. */
export async function runOnce(db: Database, spec: DagSpec, run: (task: ClaimedTask) => Ending) {
  await deploy(db, spec);
  const created = await createRun(db, { dagId: spec.dagId, by: "test" });
  const ran = await work(db, run);
  return { ...(await statesOf(db, created.id)), ran, key: created.id };
}
