/** Brings qflow's database to the schema of this installation. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Knex } from "knex";
import { QflowError } from "../errors.ts";
import { type Database, type Sql, transactionOn } from "./database.ts";
import { installedFunctions, installFunctions, readFunctions } from "./functions.ts";
import { checkIdentity, claimContract } from "./installation.ts";
import { ensurePartitions } from "./partitions.ts";

const FOLDER = join(import.meta.dirname, "../../migrations");
const TABLE = "schema_migration";
/** Key of the advisory lock that lets one migrator at a time through. */
export const LOCK_KEY = 7_101_001;

/** What {@link migrate} did and found. */
export interface MigrationReport {
  /** File names applied now, in order; `functions` where these were put in anew. */
  readonly applied: string[];
  /** File names applied, now and before. */
  readonly total: number;
  /** What the operator must know: the database is a copy, or was restored. Null otherwise. */
  readonly warning: string | null;
}

/**
 * Applies the numbered files of `migrations/` that are missing, each in a transaction of its own, then the functions where
 * they differ; any number of processes may call it at once. Throws SCHEMA_NEWER when the database holds a migration this
 * installation does not know, or functions of a newer one.
 */
export async function migrate(database: Database): Promise<MigrationReport> {
  const lock = await database.connect();
  try {
    // Another migrator may take its time, and a migration too.
    await lock.query("set statement_timeout = 0");
    await lock.query("set lock_timeout = 0");
    // guard: schema-lock
    await lock.query("select pg_advisory_lock($1)", [LOCK_KEY]);
    // On the locked connection: a pool of one must do.
    await refuseNewer(lock);
    const done = await appliedNames(lock);
    const missing = (await migrationFiles()).filter((name) => !done.includes(name));
    const applied = missing.length > 0 ? await applyMissing(database.url) : [];
    const { installed, warning } = await transactionOn(lock, async () => {
      await claimContract(lock);
      const installed = await installFunctions(lock);
      await ensurePartitions(lock);
      return { installed, warning: await checkIdentity(lock) };
    });
    const total = (await migrationFiles()).length;
    return { applied: installed ? [...applied, "functions"] : applied, total, warning };
  } finally {
    await lock.query("select pg_advisory_unlock($1)", [LOCK_KEY]).catch(() => {});
    await lock.query("reset statement_timeout").catch(() => {});
    await lock.query("reset lock_timeout").catch(() => {});
    lock.release();
  }
}

/** Throws SCHEMA_NEWER, or SCHEMA_OLDER when migrations are missing: what a process checks that must not migrate itself. */
export async function checkSchema(database: Sql): Promise<void> {
  await refuseNewer(database);
  const known = await migrationFiles();
  const done = await appliedNames(database);
  const missing = known.filter((name) => !done.includes(name));
  if (missing.length > 0) throw new QflowError("SCHEMA_OLDER", `the database lacks ${missing.join(", ")}`);
  if ((await installedFunctions(database)) !== (await readFunctions()).hash) {
    throw new QflowError("SCHEMA_OLDER", "the functions in the database are not those of this installation");
  }
}

/** Before anything is written. */
async function refuseNewer(database: Sql): Promise<void> {
  const known = await migrationFiles();
  const unknown = (await appliedNames(database)).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw new QflowError("SCHEMA_NEWER", `the database was migrated by a newer qflow: ${unknown.join(", ")}`);
}

async function appliedNames(database: Sql): Promise<string[]> {
  const table = await database.query<{ found: string | null }>("select to_regclass($1) as found", [TABLE]);
  if (!table.rows[0]?.found) return [];
  const rows = await database.query<{ name: string }>(`select name from ${TABLE} order by name`);
  return rows.rows.map((row) => row.name);
}

async function applyMissing(url: string): Promise<string[]> {
  // Most processes find nothing missing; they need not hold it in memory.
  const { default: knexFactory } = await import("knex");
  const knex = knexFactory({ client: "pg", connection: url, pool: { min: 0, max: 1 } });
  try {
    const [, applied] = (await knex.migrate.latest({ tableName: TABLE, migrationSource: new SqlFiles() })) as [
      number,
      string[],
    ];
    return applied;
  } finally {
    await knex.destroy();
  }
}

async function migrationFiles(): Promise<string[]> {
  const names = await readdir(FOLDER);
  return names.filter((name) => /^\d{4}_\w+\.sql$/.test(name)).sort();
}

/** knex's view of the folder: one SQL file, one migration. */
class SqlFiles implements Knex.MigrationSource<string> {
  getMigrations(): Promise<string[]> {
    return migrationFiles();
  }

  getMigrationName(name: string): string {
    return name;
  }

  async getMigration(name: string): Promise<Knex.Migration> {
    const sql = await readFile(join(FOLDER, name), "utf8");
    return {
      // knex reads a bare question mark as a placeholder.
      up: (knex) => knex.raw(sql.replaceAll("?", "\\?")),
      down: () => Promise.reject(new QflowError("USAGE", "migrations only go forward")),
    };
  }
}
