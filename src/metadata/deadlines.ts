/** Deadlines that have been missed. */
import type { Sql } from "./database.ts";

const BATCH = 200;

/** Fires what has been missed, each once, whoever looks: those who want to know get a notification. Returns how many. */
export async function fireDeadlines(sql: Sql): Promise<number> {
  const result = await sql.query<{ fired: number }>("select fire_deadlines($1) as fired", [BATCH]);
  return result.rows[0]?.fired ?? 0;
}
