/** A part of a transaction that may fail alone. */
import type { Sql } from "./database.ts";

/** Runs `work` in the open transaction of `sql`; what it did is undone when it throws, and the transaction goes on. */
export async function withSavepoint(sql: Sql, work: () => Promise<void>): Promise<void> {
  await sql.query("savepoint part");
  try {
    await work();
  } catch (error) {
    await sql.query("rollback to savepoint part");
    throw error;
  } finally {
    await sql.query("release savepoint part");
  }
}
