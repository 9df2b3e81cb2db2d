/** Engines for the time of one command: those that run for this QFLOW_HOME, or its own that are stopped again. */
import { type Config, loadConfig } from "../config.ts";
import type { Connection } from "../dag/operator.ts";
import type { EngineName, RunningEngines } from "../engines/index.ts";
import { QflowError } from "../errors.ts";
import { say } from "./output.ts";
import type { CommandContext } from "./program.ts";

/** Hands `work` the URL of qflow's database, with its password. */
export async function withPostgres<T>(context: CommandContext, work: (url: string) => Promise<T>): Promise<T> {
  if (context.config.databaseUrl) return work(context.config.databaseUrl);
  return withEngines(context, ["postgres"], (config) => work(databaseUrlOf(config)));
}

/** Hands `work` the connection of the HiveServer2 endpoint. */
export async function withHive<T>(context: CommandContext, work: (connection: Connection) => Promise<T>): Promise<T> {
  const own = context.config.connections.hive_default;
  if (own) return work(own);
  return withEngines(context, ["postgres", "hive"], (config) => work(hiveConnectionOf(config)));
}

/** Hands `work` the settings with the addresses of running engines in them. */
export async function withEngines<T>(
  context: CommandContext,
  names: readonly EngineName[],
  work: (config: Config) => Promise<T>,
): Promise<T> {
  // A process that is given its addresses does not need what starts engines.
  const { runningEnvironment } = await import("../engines/index.ts");
  const running = await runningEnvironment(context.config, names);
  if (running) return work(loadConfig({ ...context.env, ...running }));
  const engines = await startForCommand(context.config, names);
  // An interrupted command leaves nothing behind: the engines stop, then the process ends as if the signal had ended it.
  const interrupted = () => void engines.stop().finally(() => process.exit(130));
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  try {
    return await work(loadConfig({ ...context.env, ...engines.environment() }));
  } finally {
    process.off("SIGINT", interrupted);
    process.off("SIGTERM", interrupted);
    await engines.stop();
  }
}

async function startForCommand(config: Config, names: readonly EngineName[]): Promise<RunningEngines> {
  const { progressOn, startEngines } = await import("../engines/index.ts");
  if (names.includes("hive")) say("Starting the engines for this command (a minute); `npm start` keeps them running.");
  return startEngines(config, { names, progress: progressOn(process.stderr), onEvent: () => {} });
}

function databaseUrlOf(config: Config): string {
  if (config.databaseUrl) return config.databaseUrl;
  throw new QflowError("INTERNAL", "the engines run without a database");
}

/** The connection `hive_default`. Throws CONNECTION_UNKNOWN. */
export function hiveConnectionOf(config: Config): Connection {
  const connection = config.connections.hive_default;
  if (connection) return connection;
  throw new QflowError("CONNECTION_UNKNOWN", "there is no connection hive_default");
}
