/** Databases for tests: each a clone of one migrated template, on the PostgreSQL that the whole run shares. */
import { randomBytes } from "node:crypto";
import type { ExecutionContext } from "ava";
import pg from "pg";
import { type Database, openDatabase } from "../../src/metadata/database.ts";
import { sharedPostgres } from "./postgres.ts";

/** A migrated, empty database of the test's own; closed and dropped when the test ends. */
export async function testDatabase(t: Pick<ExecutionContext, "teardown">, options = { max: 8 }): Promise<Database> {
  const { url, template, error } = await sharedPostgres();
  if (error) throw new Error(`the template database could not be made: ${error}`);
  const name = `test_${randomBytes(8).toString("hex")}`;
  await administer(url, `create database ${name} template ${template}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  const database = openDatabase(own.href, { ...options, applicationName: "test" });
  t.teardown(async () => {
    await database.close().catch(() => {});
    await administer(url, `drop database if exists ${name} with (force)`);
  });
  return database;
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
