/** Hive's metastore: a database of the embedded PostgreSQL, laid from Hive's own scripts. */
import { readFile } from "node:fs/promises";
import pg from "pg";
import { messageOf, QflowError } from "../errors.ts";
import { ensureDatabase } from "./postgres.ts";

/** Database and role of the metastore. */
export const METASTORE = "metastore";

/** The schema version that Spark's built-in metastore client expects. */
const SCHEMA_VERSION = "2.3.0";

/** Where the metastore goes and what it is made from. */
export interface MetastoreOptions {
  /** Connection URL of a database of the server, as a superuser or as one who may create databases and roles. */
  url(database: string): string;
  readonly password: string;
  /** The scripts in order; the last leads to the version Spark expects. */
  readonly scripts: readonly string[];
}

/** Creates role, database and schema where they are missing; whatever is there is kept. Throws ENGINE_FAILED. */
export async function prepareMetastore(options: MetastoreOptions): Promise<void> {
  await ensureDatabase(options.url("postgres"), METASTORE);
  const client = new pg.Client({ connectionString: options.url(METASTORE) });
  await client.connect();
  try {
    await ensureRole(client, options.password);
    const present = await schemaVersion(client);
    if (present === SCHEMA_VERSION) return;
    if (present !== null) throw new Error(`its schema has version ${present} instead of ${SCHEMA_VERSION}`);
    await createSchema(client, options.scripts);
  } catch (cause) {
    throw new QflowError("ENGINE_FAILED", `Hive's metastore could not be prepared: ${messageOf(cause)}`, { cause });
  } finally {
    await client.end();
  }
}

async function ensureRole(client: pg.Client, password: string): Promise<void> {
  const role = client.escapeIdentifier(METASTORE);
  const found = await client.query("select 1 from pg_roles where rolname = $1", [METASTORE]);
  if (found.rowCount === 0) await client.query(`create role ${role}`);
  // A role statement takes no bound values; the password is generated from letters and digits and quoted all the same.
  await client.query(`alter role ${role} login password ${client.escapeLiteral(password)}`);
  await client.query(`alter database ${role} owner to ${role}`);
  await client.query(`alter schema public owner to ${role}`);
}

async function schemaVersion(client: pg.Client): Promise<string | null> {
  const table = await client.query(`select to_regclass('public."VERSION"') as found`);
  if (table.rows[0]?.found === null) return null;
  const version = await client.query<{ SCHEMA_VERSION: string }>(`select "SCHEMA_VERSION" from public."VERSION"`);
  return version.rows[0]?.SCHEMA_VERSION ?? null;
}

/** All scripts in one transaction, as the role that will use the tables: a kill in between leaves nothing. */
async function createSchema(client: pg.Client, scripts: readonly string[]): Promise<void> {
  await client.query("begin");
  await client.query(`set local role ${client.escapeIdentifier(METASTORE)}`);
  for (const script of scripts) {
    const text = await readFile(script, "utf8");
    // Privileges of the machine on which the scripts were dumped name roles that do not exist here.
    const statements = text.split("\n").filter((line) => !/^(REVOKE|GRANT) .* (FROM|TO) \w+;$/.test(line));
    await client.query(statements.join("\n"));
  }
  await client.query("commit");
}
