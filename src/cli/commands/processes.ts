/** `qflow scheduler | worker | api`: the processes of a platform. */
import { flushCompileCache } from "node:module";
import type { Command } from "commander";
import { loadConfig } from "../../config.ts";
import type { QflowError } from "../../errors.ts";
import { openDatabase } from "../../metadata/database.ts";
import { watchInstallation } from "../../metadata/installation.ts";
import { migrate } from "../../metadata/migrate.ts";
import { withRetry } from "../../metadata/transient.ts";
import { logLine } from "../output.ts";
import type { ProcessParts } from "../processes/parts.ts";
import { type CommandContext, wholeNumber } from "../program.ts";
import { withPostgres } from "../with-engines.ts";

/** Connections of each process to the database, and how long it lets a statement take and wait for a lock, in milliseconds. */
const LIMITS = {
  scheduler: { max: 8, statementMs: 30_000, lockMs: 5_000 },
  worker: { max: 8, statementMs: 30_000, lockMs: 5_000 },
  api: { max: 10, statementMs: 15_000, lockMs: 3_000 },
};

/** With growing pauses of up to 5 s: about a minute. */
const START_TRIES = 20;

/** Registers the commands. */
export function processCommands(program: Command, context: () => CommandContext): void {
  program
    .command("scheduler")
    .description("create runs, fire timers, rescue lost work; keeps the DAGs of the folder loaded")
    .action(async () => {
      const { runScheduler } = await import("../processes/scheduler.ts");
      await withProcessDatabase(context(), "scheduler", runScheduler);
    });
  program
    .command("worker")
    .description("claim and run tasks; TERM drains, a second TERM stops now")
    .option("--queues <names>", "only tasks of these queues, separated by commas (QFLOW_QUEUES)")
    .option("--slots <n>", "task functions at once (QFLOW_RUNNERS)", wholeNumber("--slots"))
    .option("--drain <seconds>", "how long TERM waits for what runs (QFLOW_DRAIN)", wholeNumber("--drain"))
    .action(async (options: WorkerCommandOptions) => {
      const { runWorker } = await import("../../worker/main.ts");
      await withProcessDatabase(workerContext(context(), options), "worker", ({ database, config, outdated }) =>
        runWorker({ database, config, warn: logLine, stopWhen: outdated }),
      );
    });
  program
    .command("api")
    .description("serve the web UI and the HTTP API")
    .action(async () => {
      const [{ ensureWebClient }, { runApi }] = await Promise.all([
        import("../web-client.ts"),
        import("../processes/api.ts"),
      ]);
      await ensureWebClient();
      await withProcessDatabase(context(), "api", runApi);
    });
}

interface WorkerCommandOptions {
  queues?: string;
  slots?: number;
  drain?: number;
}

/** The settings, with what the command line says in place of the environment. */
function workerContext({ env }: CommandContext, { queues, slots, drain }: WorkerCommandOptions): CommandContext {
  const said = {
    ...env,
    ...(queues === undefined ? {} : { QFLOW_QUEUES: queues }),
    ...(slots === undefined ? {} : { QFLOW_RUNNERS: String(slots) }),
    ...(drain === undefined ? {} : { QFLOW_DRAIN: String(drain) }),
  };
  return { config: loadConfig(said), env: said };
}

/** When a process has loaded what it needs: then the compiled code is kept for the next one, however this one ends. */
const SETTLED_MS = 10_000;

type ProcessName = "scheduler" | "worker" | "api";

/**
 * A long-running process: its database checked and watched, its end awaited. `outdated` resolves when the database has become too
 * new for it: it ends as if it were told to, and whoever starts it again finds the newer version or the same refusal.
 */
function withProcessDatabase(
  context: CommandContext,
  name: ProcessName,
  work: (parts: ProcessParts) => Promise<void>,
): Promise<void> {
  return withPostgres(context, async (url) => {
    const database = openDatabase(url, { ...LIMITS[name], applicationName: `qflow-${name}` });
    let unwatch = async () => {};
    try {
      // Whoever starts us may be faster than the database, above all after both were killed.
      const { warning } = await withRetry(() => migrate(database), { tries: START_TRIES });
      if (warning) logLine(`attention: ${warning}`);
      const outdated = Promise.withResolvers<void>();
      let refusal: QflowError | null = null;
      unwatch = watchInstallation(database, {
        warn: (message) => logLine(`attention: ${message}`),
        onNewer: (error) => {
          refusal = error;
          logLine(`${error.code}: ${error.message}; this ${name} ends`);
          outdated.resolve();
        },
      });
      setTimeout(flushCompileCache, SETTLED_MS).unref();
      await work({ database, config: context.config, outdated: outdated.promise });
      if (refusal) throw refusal;
    } finally {
      await unwatch();
      await database.close();
    }
  });
}
