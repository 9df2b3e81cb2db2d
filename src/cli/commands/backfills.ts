/** `qflow backfills list | show | pause | resume | cancel`. `qflow dags backfill` makes them. */
import type { Command } from "commander";
import { audited } from "../../metadata/audited.ts";
import { cancelBackfill, pauseBackfill, resumeBackfill } from "../../metadata/backfills.ts";
import type { Database } from "../../metadata/database.ts";
import { type BackfillRow, getBackfill, listBackfills } from "../../metadata/views/backfill-views.ts";
import { type Column, printFields, printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption, wholeNumber } from "../program.ts";
import { instant } from "../text.ts";
import { withDatabase } from "../with-database.ts";

const COLUMNS: Column<BackfillRow>[] = [
  { heading: "id", cell: (one) => one.id },
  { heading: "dag", cell: (one) => one.dag_id },
  { heading: "state", cell: (one) => (one.state === "running" && one.dag_paused ? "dag paused" : one.state) },
  { heading: "from", cell: (one) => instant(one.from_date) },
  { heading: "to", cell: (one) => instant(one.to_date) },
  { heading: "done", cell: (one) => `${one.progress.dates - one.progress.pending}/${one.progress.dates}` },
  { heading: "running", cell: (one) => one.progress.running },
  { heading: "success", cell: (one) => one.progress.success },
  { heading: "failed", cell: (one) => one.progress.failed },
];

/** Registers the commands. */
export function backfillCommands(program: Command, context: () => CommandContext): void {
  const backfills = program.command("backfills").description("backfills: runs of past dates");
  backfills
    .command("list [dag]")
    .description("newest first")
    .option("--limit <n>", "at most so many", wholeNumber("--limit"), 25)
    .addOption(outputOption())
    .action((dagId: string | undefined, options: ListOptions & { limit: number }) =>
      withDatabase(context(), async (database) => {
        const { rows } = await listBackfills(database, { dagId }, { limit: options.limit, offset: 0, orderBy: [] });
        printRows(rows, COLUMNS, {
          format: options.output,
          empty: "No backfills. Make one: qflow dags backfill DAG --from DATE --to DATE",
        });
      }),
    );
  backfills
    .command("show")
    .argument("<id>", "its number", wholeNumber("id"))
    .description("one backfill and how far it is")
    .addOption(outputOption())
    .action((id: number, options: ListOptions) =>
      withDatabase(context(), async (database) =>
        printFields({ ...(await getBackfill(database, id)) }, options.output),
      ),
    );
  addChange(backfills, context, "pause", {
    description: "make and start no more runs of it; what runs goes on",
    change: async (db, id) => {
      await pauseBackfill(db, id);
      return `Backfill ${id} is paused.`;
    },
  });
  addChange(backfills, context, "resume", {
    description: "go on with it",
    change: async (db, id) => {
      await resumeBackfill(db, id);
      return `Backfill ${id} goes on.`;
    },
  });
  addChange(backfills, context, "cancel", {
    description: "end it: runs that have not started are cancelled, those that run go on",
    change: async (db, id) => {
      const { running } = await cancelBackfill(db, id);
      return `Backfill ${id} is cancelled${running > 0 ? `; ${running} of its runs go on to their end` : ""}.`;
    },
  });
}

interface Change {
  readonly description: string;
  /** Answers what to say. */
  change(database: Database, id: number): Promise<string>;
}

function addChange(backfills: Command, context: () => CommandContext, name: string, { description, change }: Change) {
  backfills
    .command(name)
    .argument("<id>", "its number", wholeNumber("id"))
    .description(description)
    .action((id: number) =>
      withDatabase(context(), async (database) => {
        const entry = { actor: "cli", action: `backfill.${name}`, details: { backfill: id } };
        say(await audited(database, entry, (db) => change(db, id)));
      }),
    );
}
