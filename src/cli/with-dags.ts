/** A connection to qflow's database that has the DAGs of the folder in it. */
import type { Database } from "../metadata/database.ts";
import { storeDags } from "./dag-loader.ts";
import type { CommandContext } from "./program.ts";
import { withDatabase } from "./with-database.ts";

/** Hands `work` the database, with the DAGs of the folder in it: a command must not need a scheduler to know them. */
export function withDags<T>(context: CommandContext, work: (database: Database) => Promise<T>): Promise<T> {
  return withDatabase(context, async (database) => {
    await storeDags(database, context.config);
    return work(database);
  });
}
