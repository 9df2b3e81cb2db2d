/** `qflow scheduler | worker | api | db …`: the processes of a platform, and its database. */
import type { Command } from "commander";
import { startApi } from "../../api/server.ts";
import type { Config } from "../../config.ts";
import { messageOf, QflowError } from "../../errors.ts";
import { type Database, openDatabase } from "../../metadata/database.ts";
import { findViolations, INVARIANTS } from "../../metadata/invariants.ts";
import { checkSchema, migrate } from "../../metadata/migrate.ts";
import { findConnection } from "../../metadata/secrets/find-connection.ts";
import { withRetry } from "../../metadata/transient.ts";
import { startSender } from "../../notifications/index.ts";
import { startScheduler } from "../../scheduler/index.ts";
import { runWorker } from "../../worker/index.ts";
import { keepDagsStored } from "../dag-loader.ts";
import { say } from "../output.ts";
import type { CommandContext } from "../program.ts";
import { untilSignal } from "../signals.ts";
import { ensureWebClient } from "../web-client.ts";
import { withPostgres } from "../with-engines.ts";

/** Connections of each process to the database. */
const CONNECTIONS = { scheduler: 6, worker: 8, api: 10, migrator: 2 };

/** With growing pauses of up to 5 s: about a minute. */
const START_TRIES = 20;

/** Registers the commands. */
export function processCommands(program: Command, context: () => CommandContext): void {
  program
    .command("scheduler")
    .description("create runs, fire timers, rescue lost work; keeps the DAGs of the folder loaded")
    .action(() => withProcessDatabase(context(), "scheduler", runScheduler));
  program
    .command("worker")
    .description("claim and run tasks; TERM drains, a second TERM stops now")
    .action(() =>
      withProcessDatabase(context(), "worker", (database, config) => runWorker({ database, config, warn: logLine })),
    );
  program
    .command("api")
    .description("serve the web UI and the HTTP API")
    .action(async () => {
      await ensureWebClient();
      await withProcessDatabase(context(), "api", runApi);
    });

  const db = program.command("db").description("qflow's own database");
  db.command("migrate")
    .description("bring it to the schema of this installation")
    .action(() =>
      withOwnDatabase(context(), async (database) => {
        const { applied, total } = await migrate(database);
        say(applied.length === 0 ? `Up to date: ${total} migrations.` : `Applied ${applied.join(", ")}.`);
      }),
    );
  db.command("check")
    .description("whether this installation and the database fit, and what is in it holds together")
    .action(() =>
      withOwnDatabase(context(), async (database) => {
        await checkSchema(database);
        say("The database has the schema of this installation.");
        await checkInvariants(database);
      }),
    );
}

async function checkInvariants(database: Database): Promise<void> {
  const violations = await findViolations(database);
  for (const { invariant, problem, subject } of violations) say(`${invariant}: ${problem}: ${subject}`);
  if (violations.length > 0) throw new QflowError("INVARIANT_BROKEN", `${violations.length} rows break an invariant`);
  say(`All ${INVARIANTS.length} invariants hold.`);
}

function withOwnDatabase(context: CommandContext, work: (database: Database) => Promise<void>): Promise<void> {
  return withPostgres(context, async (url) => {
    const database = openDatabase(url, { max: CONNECTIONS.migrator, applicationName: "qflow-db" });
    try {
      await work(database);
    } finally {
      await database.close();
    }
  });
}

type ProcessName = "scheduler" | "worker" | "api";

/** A long-running process: its database checked, its end awaited. */
function withProcessDatabase(
  context: CommandContext,
  name: ProcessName,
  work: (database: Database, config: Config) => Promise<void>,
): Promise<void> {
  return withPostgres(context, async (url) => {
    const database = openDatabase(url, { max: CONNECTIONS[name], applicationName: `qflow-${name}` });
    try {
      // Whoever starts us may be faster than the database, above all after both were killed.
      await withRetry(() => migrate(database), { tries: START_TRIES });
      await work(database, context.config);
    } finally {
      await database.close();
    }
  });
}

async function runScheduler(database: Database, config: Config): Promise<void> {
  const stopped = untilSignal();
  const scheduler = await startScheduler(database, {
    warn: logLine,
    connection: (id) => findConnection(database, config, id),
  });
  const sender = startSender({
    database,
    connection: (id) => findConnection(database, config, id),
    baseUrl: `http://${config.host}:${config.port}`,
    warn: logLine,
  });
  const dags = await keepDagsStored(database, config, logLine);
  logLine("the scheduler runs");
  await stopped;
  await dags.close();
  await sender.stop();
  await scheduler.stop();
}

async function runApi(database: Database, config: Config): Promise<void> {
  const stopped = untilSignal();
  const api = await startApi({
    database,
    config,
    hive: config.connections.hive_default ?? null,
    report: (error) => logLine(error instanceof Error ? (error.stack ?? error.message) : messageOf(error)),
  });
  logLine(`the API listens on ${api.url}`);
  await stopped;
  await api.close();
}

function logLine(text: string): void {
  say(`${new Date().toISOString()} ${text}`);
}
