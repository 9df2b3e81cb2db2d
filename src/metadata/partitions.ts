/** Partitions of the history tables. */
import type { Sql } from "./database.ts";

/** Makes the partitions of this month and the next where they are missing. */
export async function ensurePartitions(sql: Sql): Promise<void> {
  await sql.query("select ensure_partitions()");
}
