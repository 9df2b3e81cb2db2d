/** A change and its audit row: one row a call, also where the call failed. */
import { QflowError } from "../errors.ts";
import { type AuditEntry, writeAudit } from "./access.ts";
import type { Database } from "./database.ts";
import { joined } from "./joined.ts";

/**
 * Runs a change and its audit row in one transaction, to which everything that `work` does with its database belongs. Where it
 * throws, nothing is changed, a row with the error's code is written, and the error is thrown on.
 */
export async function audited<T>(
  database: Database,
  entry: AuditEntry,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  try {
    return await database.transaction(async (sql) => {
      const done = await work(joined(database, sql));
      await writeAudit(sql, entry);
      return done;
    });
  } catch (error) {
    await auditFailure(database, entry, error);
    throw error;
  }
}

/** Writes the row of a call that failed and changed nothing; never rejects. */
export async function auditFailure(database: Database, entry: AuditEntry, error: unknown): Promise<void> {
  const code = error instanceof QflowError ? error.code : "INTERNAL";
  // A database that is away cannot tell of it either; the error itself matters more.
  await writeAudit(database, { ...entry, error: code }).catch(() => {});
}
