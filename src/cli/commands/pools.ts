/** `qflow pools list | show | set | delete`: how much may run at once. */
import type { Command } from "commander";
import { audited } from "../../metadata/audited.ts";
import { deletePool, setPool } from "../../metadata/pools.ts";
import { getPool, listPools, type PoolRow } from "../../metadata/views/pool-views.ts";
import { type Column, printFields, printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption, wholeNumber } from "../program.ts";
import { withDatabase } from "../with-database.ts";

const MANY = 100_000;

const COLUMNS: Column<PoolRow>[] = [
  { heading: "pool", cell: (pool) => pool.name },
  { heading: "slots", cell: (pool) => pool.slots },
  { heading: "running", cell: (pool) => pool.running_slots },
  { heading: "queued", cell: (pool) => pool.queued_slots },
  { heading: "description", cell: (pool) => pool.description },
];

/** Registers the commands. */
export function poolCommands(program: Command, context: () => CommandContext): void {
  const pools = program.command("pools").description("pools: how much may run at once");
  pools
    .command("list", { isDefault: true })
    .description("pools, their slots and their use")
    .addOption(outputOption())
    .action((options: ListOptions) =>
      withDatabase(context(), async (database) => {
        const { rows } = await listPools(database, {}, { limit: MANY, offset: 0, orderBy: [] });
        printRows(rows, COLUMNS, { format: options.output, empty: "No pools." });
      }),
    );
  pools
    .command("show <pool>")
    .description("one pool")
    .addOption(outputOption())
    .action((name: string, options: ListOptions) =>
      withDatabase(context(), async (database) => printFields({ ...(await getPool(database, name)) }, options.output)),
    );
  pools
    .command("set <pool>")
    .description(
      "make a pool, or change it; with fewer slots than are in use nothing ends, and nothing starts until there is room",
    )
    .argument("<slots>", "how many", wholeNumber("slots"))
    .option("--description <text>", "what it is for")
    .action((name: string, slots: number, options: { description?: string }) =>
      withDatabase(context(), async (database) => {
        const entry = { actor: "cli", action: "pool.set", details: { pool: name, slots } };
        const done = await audited(database, entry, async (db) => {
          const before = await listPools(db, { name }, { limit: 1, offset: 0, orderBy: [] });
          const description = options.description ?? before.rows[0]?.description ?? "";
          return { how: await setPool(db, { name, slots, description }), inUse: before.rows[0]?.running_slots ?? 0 };
        });
        const over =
          done.inUse > slots ? `; ${done.inUse} are in use, so nothing starts until that many have ended` : "";
        say(`Pool ${name} is ${done.how}: ${slots} slots${over}.`);
      }),
    );
  pools
    .command("delete <pool>")
    .description("remove a pool that no task names")
    .action((name: string) =>
      withDatabase(context(), (database) =>
        audited(database, { actor: "cli", action: "pool.delete", details: { pool: name } }, (db) =>
          deletePool(db, name),
        ),
      ),
    );
}
