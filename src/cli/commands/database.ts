/** `qflow db …`: qflow's own database. */
import type { Command } from "commander";
import { QflowError } from "../../errors.ts";
import { type Database, openDatabase } from "../../metadata/database.ts";
import { checkDatabase, type Finding } from "../../metadata/database-check.ts";
import { declareRestored } from "../../metadata/installation.ts";
import { migrate } from "../../metadata/migrate.ts";
import { previewPrune, prune, type RetentionPolicy, retentionPolicy, retentionTime } from "../../metadata/retention.ts";
import { openKeyring } from "../../metadata/secrets/keyring.ts";
import { EXIT, printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption } from "../program.ts";
import { withPostgres } from "../with-engines.ts";

/** One works, one waits for its lock. */
const CONNECTIONS = 2;

/** Registers the commands. */
export function databaseCommands(program: Command, context: () => CommandContext): void {
  const db = program.command("db").description("qflow's own database");
  db.command("migrate")
    .description("bring it to the schema of this installation")
    .action(() =>
      withOwnDatabase(context(), async (database) => {
        const { applied, total, warning } = await migrate(database);
        if (warning) say(`Attention: ${warning}.`);
        say(applied.length === 0 ? `Up to date: ${total} migrations.` : `Applied ${applied.join(", ")}.`);
      }),
    );
  db.command("check")
    .description(
      "whether this installation and the database fit, how the server is set, and what must be true of every row",
    )
    .addOption(outputOption())
    .action((options: ListOptions) =>
      withOwnDatabase(context(), async (database) =>
        report(await checkDatabase(database, await openKeyring(context().config)), options),
      ),
    );
  db.command("prune")
    .description("remove what is older than its retention now; a scheduler does it every hour")
    .option("--older-than <duration>", "runs that ended longer ago, instead of QFLOW_RETENTION_RUNS, e.g. P30D")
    .option("--dry-run", "only tell what would be removed")
    .addOption(outputOption())
    .action((options: PruneCommand) =>
      withOwnDatabase(context(), (database) => pruneNow(context(), database, options)),
    );
  db.command("restored")
    .description("say that the database was put back to an earlier state: ends the leases of before")
    .action(() =>
      withOwnDatabase(context(), async (database) => {
        await migrate(database);
        say(`Epoch ${await declareRestored(database)} has begun: workers register anew, what they ran is tried again.`);
      }),
    );
}

/** Exits with 1 where something is broken; warnings are only told. */
function report(findings: readonly Finding[], { output }: ListOptions): void {
  const columns = [
    { heading: "check", cell: (row: Finding) => row.check },
    { heading: "verdict", cell: (row: Finding) => row.verdict },
    { heading: "detail", cell: (row: Finding) => row.detail },
  ];
  printRows(findings, columns, { format: output, empty: "" });
  if (findings.some(({ verdict }) => verdict === "broken")) process.exitCode = EXIT.failed;
}

interface PruneCommand extends ListOptions {
  olderThan?: string;
  dryRun?: boolean;
}

async function pruneNow({ config }: CommandContext, database: Database, options: PruneCommand): Promise<void> {
  const policy: RetentionPolicy = {
    ...retentionPolicy(config.retention),
    ...(options.olderThan !== undefined && { runs: retentionTime(options.olderThan, "--older-than") }),
  };
  await migrate(database);
  const counts = options.dryRun ? await previewPrune(database, policy) : await pruneTold(database, policy);
  const rows = Object.entries(counts).map(([what, count]) => ({ what, count }));
  printRows(
    rows,
    [
      { heading: "what", cell: (row) => row.what },
      { heading: options.dryRun ? "would go" : "removed", cell: (row) => row.count },
    ],
    { format: options.output, empty: "" },
  );
}

async function pruneTold(database: Database, policy: RetentionPolicy) {
  const counts = await prune(database, policy, { onProgress: (step, removed) => say(`${step}: ${removed} removed`) });
  if (counts) return counts;
  throw new QflowError("CONFLICT", "a scheduler is removing old history right now", {
    remedy: "Wait two minutes and run the command again.",
  });
}

function withOwnDatabase(context: CommandContext, work: (database: Database) => Promise<void>): Promise<void> {
  return withPostgres(context, async (url) => {
    const database = openDatabase(url, { max: CONNECTIONS, applicationName: "qflow-db" });
    try {
      await work(database);
    } finally {
      await database.close();
    }
  });
}
