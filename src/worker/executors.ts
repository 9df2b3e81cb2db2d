/** The two executors of a worker: runner processes for task functions, the host for operators. */
import { join } from "node:path";
import type { Config } from "../config.ts";
import { WORKER_MARKER } from "../processes/markers.ts";
import { AheadQueue } from "./ahead-queue.ts";
import { type Executor, type ExecutorEvents, PATIENCE, type Patience } from "./executor.ts";
import { HostProcess } from "./host-process.ts";
import { RunnerPool } from "./runner-pool.ts";
import type { Secrets } from "./secret-store.ts";

/** What executors are made from. */
export interface ExecutorOptions {
  config: Config;
  database: { readonly url: string };
  /** Patience with task functions that are to stop; 2 s and 10 s unless set. */
  patience?: Patience;
  /** What runs task functions in place of runner processes. */
  functions?: (events: ExecutorEvents) => Executor;
}

/** Who runs what. */
export interface Executors {
  functions: Executor;
  operators: Executor;
  /** Where functions may be claimed ahead of their places: how many now, and whether every place has its next one. */
  ahead?: Pick<AheadQueue, "room" | "isStocked">;
}

/** The worker they belong to. */
export interface Owner {
  marker: string;
  /** Its private folder. */
  folder: string;
  /** Connections and variables for the attempts that start now. */
  secrets: () => Secrets;
}

/** Makes the executors of a worker; processes start with the first attempt, or `prewarm`. */
export function createExecutors(options: ExecutorOptions, owner: Owner, events: ExecutorEvents): Executors {
  const { config } = options;
  const { marker, folder, secrets } = owner;
  const env = childEnvironment(config, marker);
  const patience = options.patience ?? PATIENCE;
  const functions = new AheadQueue(
    options.functions ?? ((inner) => new RunnerPool({ env, folder, secrets, patience }, config.runners, inner)),
    config.runners,
    events,
  );
  const environment = { ...config.environment, [WORKER_MARKER]: marker };
  const operators = new HostProcess(
    {
      env,
      folder,
      // What opens sealed values stays with the worker; what is open comes with `secrets`.
      config: { ...config, environment, secretKeys: [], connections: {}, variables: {} },
      secrets,
      databaseUrl: options.database.url,
    },
    events,
  );
  return { functions, operators, ahead: functions };
}

function childEnvironment(config: Config, marker: string): Record<string, string> {
  return {
    ...config.environment,
    [WORKER_MARKER]: marker,
    // A process that is killed when it is no longer needed keeps what it has compiled as soon as it is ready.
    NODE_COMPILE_CACHE: join(config.cacheDir, "compiled"),
  };
}
