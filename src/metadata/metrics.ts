/** Counters of rare things, kept in the database, so that they count for all processes and outlive them. */
import type { Sql } from "./database.ts";

/** `retention_<step>` counts what a step of retention removed. */
export type CounterName = "fenced_writes" | "rescued_attempts" | `retention_${string}`;

/** Adds to a counter; nothing is written for 0. */
export async function countMetric(sql: Sql, name: CounterName, by: number): Promise<void> {
  if (by > 0) await sql.query("select count_metric($1, $2)", [name, by]);
}

/** A count is not worth failing for: what is counted has happened. */
export async function countIfPossible(sql: Sql, name: CounterName, by: number): Promise<void> {
  await countMetric(sql, name, by).catch(() => {});
}
