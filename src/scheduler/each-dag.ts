/** Creates runs DAG by DAG, each in a transaction of its own: one that cannot be served does not hold up the others. */
import type { Database, Sql } from "../metadata/database.ts";
import { isTransient } from "../metadata/transient.ts";

/** What a look at DAGs for which something waits did. */
export interface EachDagReport {
  readonly created: number;
  /** DAGs for which no run could be made; what waits for them keeps waiting. */
  readonly refused: readonly { readonly dagId: string; readonly error: unknown }[];
}

/** Calls `create`, which returns how many runs it made, for every DAG. Throws transient failures of the database: the look is repeated whole. */
export async function createForEach(
  database: Database,
  dagIds: readonly string[],
  create: (sql: Sql, dagId: string) => Promise<number>,
): Promise<EachDagReport> {
  let created = 0;
  const refused: { dagId: string; error: unknown }[] = [];
  for (const dagId of dagIds) {
    try {
      created += await database.transaction((sql) => create(sql, dagId));
    } catch (error) {
      if (isTransient(error)) throw error;
      refused.push({ dagId, error });
    }
  }
  return { created, refused };
}
