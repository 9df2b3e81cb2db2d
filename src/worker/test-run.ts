/** Runs DAGs once on a database of their own, for tests: real transitions, real worker, no schedule. */
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config.ts";
import { type Bundle, bundleFile } from "../dag/bundle.ts";
import type { Dag } from "../dag/dag.ts";
import { openSandbox } from "../dag/sandbox.ts";
import type { DagSpec, Json } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";
import type { Database } from "../metadata/database.ts";
import { setPool } from "../metadata/pools.ts";
import { createRun, unpauseDag } from "../metadata/runs.ts";
import { expireClocks, queueDueRetries } from "../metadata/timers.ts";
import { storeVersions } from "../metadata/versions.ts";
import { listPools } from "../metadata/views/pool-views.ts";
import { type InstanceResult, runResults, runState } from "../metadata/views/run-results.ts";
import { type FunctionOf, InProcess } from "./in-process.ts";
import { secretsOfEnvironment } from "./secret-store.ts";
import { startWorker } from "./worker.ts";

/** How one run of a DAG ended. `tasks` = state by task id; of a mapped task, that of its instances that counts most. */
export interface TestRun {
  dagId: string;
  state: "success" | "failed";
  tasks: Record<string, string>;
  /** Value by task id; of a mapped task the array of its values. Tasks without one are left out. */
  xcoms: Record<string, Json>;
}

/** What a test run is given. The database must be migrated and nobody else's. */
export interface TestRunOptions {
  database: Database;
  config: Config;
  /** Starts what decides about waits, the scheduler's part in a test; without it declared sensors wait for ever. */
  startWaits?(database: Database, config: Config): { stop(): Promise<void> };
}

/** What a run of one DAG is told. */
export interface RunArguments {
  logicalDate?: Date | null;
  params?: Json;
}

/** Slots of pools that a test makes. */
const TEST_SLOTS = 16;
/** Between two looks at a run that goes on. */
const LOOK_MS = 20;

/**
 * Runs every DAG of a file once, or the one named, and yields how each ended, in the order of the file. Throws the file's import
 * error, and NOT_FOUND for a DAG it does not hold.
 */
export async function* testDagFile(
  path: string,
  options: TestRunOptions & { dagId?: string },
): AsyncGenerator<TestRun, void, void> {
  const file = resolve(path);
  const { bundle } = await bundleFile(file);
  const specs = await specsOf(file, bundle);
  const chosen = options.dagId === undefined ? specs : specs.filter((spec) => spec.dagId === options.dagId);
  if (chosen.length === 0) {
    throw new QflowError("NOT_FOUND", `${path} holds no DAG${options.dagId === undefined ? "" : ` ${options.dagId}`}`, {
      remedy: "Export a DAG from the file, or name one of those it exports.",
    });
  }
  yield* runEach(options, { bundle, specs, chosen: chosen.map((spec) => ({ dagId: spec.dagId })) });
}

async function specsOf(file: string, bundle: Bundle): Promise<readonly DagSpec[]> {
  const sandbox = openSandbox();
  try {
    const evaluation = await sandbox.evaluate(file, bundle.code);
    if (evaluation.ok) return evaluation.dags;
    const { message, remedy, ...details } = evaluation.error;
    throw new QflowError("DAG_INVALID", message, { remedy, details });
  } finally {
    sandbox.close();
  }
}

/** Runs a declared DAG once, its task functions in this process. */
export async function testDeclaredDag(dag: Dag, options: TestRunOptions, run: RunArguments): Promise<TestRun> {
  const functionOf: FunctionOf = (_, taskId) => {
    const fn = dag.functions.get(taskId);
    if (!fn) throw new QflowError("INTERNAL", `DAG ${dag.id} has no function for task ${taskId}`);
    return fn as ReturnType<FunctionOf>;
  };
  const code = `// ${dag.id}: functions of the test's own process\n`;
  const bundle = { code, hash: createHash("sha256").update(code).digest("hex"), source: code };
  const plan = { bundle, specs: [dag.spec], chosen: [{ dagId: dag.id, ...run }], functionOf };
  for await (const result of runEach(options, plan)) return result;
  throw new QflowError("INTERNAL", `DAG ${dag.id} was not run`);
}

interface Plan {
  bundle: Bundle;
  specs: readonly DagSpec[];
  chosen: readonly ({ dagId: string } & RunArguments)[];
  functionOf?: FunctionOf;
}

async function* runEach(options: TestRunOptions, plan: Plan): AsyncGenerator<TestRun, void, void> {
  const { database } = options;
  const home = await mkdtemp(join(tmpdir(), "qflow-dags-test-"));
  await storeVersions(database, [{ file: "test", bundle: plan.bundle, dags: plan.specs }]);
  await makePools(database, plan.specs);
  const queues = [...new Set(plan.specs.flatMap(({ tasks }) => tasks.map(({ queue }) => queue ?? "default")))];
  const config = { ...options.config, home, queues: queues.length === 0 ? ["default"] : queues };
  const { functionOf } = plan;
  const worker = await startWorker({
    database,
    config,
    ...(functionOf && { functions: (events) => new InProcess(functionOf, secretsOfEnvironment(config), events) }),
  });
  const waits = options.startWaits?.(database, config);
  try {
    for (const { dagId, logicalDate, params } of plan.chosen) {
      await unpauseDag(database, dagId);
      const run = await createRun(database, {
        dagId,
        logicalDate: logicalDate ?? null,
        conf: params ?? {},
        by: "test",
      });
      yield await untilEnded(database, dagId, run.id);
    }
  } finally {
    await waits?.stop();
    await worker.stop("now");
    await rm(home, { recursive: true, force: true });
  }
}

/** Pools of the platform that the test's own database lacks, or has with fewer slots than a task takes. */
async function makePools(database: Database, specs: readonly DagSpec[]): Promise<void> {
  const largest = new Map<string, number>();
  for (const { pool, poolSlots } of specs.flatMap(({ tasks }) => tasks))
    largest.set(pool, Math.max(poolSlots, largest.get(pool) ?? 0));
  for (const [pool, poolSlots] of largest) {
    const { rows } = await listPools(database, { name: pool }, { limit: 1, offset: 0, orderBy: [] });
    if (rows[0] && rows[0].slots >= poolSlots) continue;
    await setPool(database, { name: pool, slots: Math.max(poolSlots, TEST_SLOTS), description: "" });
  }
}

async function untilEnded(database: Database, dagId: string, run: number): Promise<TestRun> {
  for (;;) {
    await queueDueRetries(database);
    await expireClocks(database);
    const state = await runState(database, run);
    if (state === "success" || state === "failed") return { dagId, state, ...summary(await runResults(database, run)) };
    await sleep(LOOK_MS);
  }
}

/** The first that an instance has is what a mapped task is said to be, as in Airflow: one that did its work outweighs skipped ones. */
const WORST = ["failed", "upstream_failed", "success", "skipped"];

function summary(instances: readonly InstanceResult[]): Pick<TestRun, "tasks" | "xcoms"> {
  const tasks: Record<string, string> = {};
  const xcoms: Record<string, Json> = {};
  for (const [taskId, all] of Map.groupBy(instances, (instance) => instance.taskId)) {
    const states = all.map((instance) => instance.state);
    tasks[taskId] = WORST.find((state) => states.includes(state)) ?? states[0] ?? "none";
    const values = all.filter((instance) => instance.value !== undefined).map((instance) => instance.value as Json);
    if (all.some((instance) => instance.mapIndex >= 0)) xcoms[taskId] = values;
    else if (values[0] !== undefined) xcoms[taskId] = values[0];
  }
  return { tasks, xcoms };
}
