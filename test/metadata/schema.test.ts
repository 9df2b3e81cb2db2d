import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { testDatabase } from "../support/database.ts";
import { dumpSchema } from "../support/schema-dump.ts";

const FILE = join(import.meta.dirname, "../../schema.sql");

test("schema.sql is what the migrations make (QFLOW_UPDATE_SCHEMA=1 writes it)", async (t) => {
  const schema = await dumpSchema(await testDatabase(t));
  if (process.env.QFLOW_UPDATE_SCHEMA) await writeFile(FILE, schema);
  t.is(await readFile(FILE, "utf8"), schema);
});
