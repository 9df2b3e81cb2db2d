/**
 * The functions and triggers of the database: `migrations/functions/*.sql`. They are code, not data: a file is edited in
 * place, and all of them are put in again, in one transaction, whenever one differs from what the database holds.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { QflowError } from "../errors.ts";
import type { Sql } from "./database.ts";
import { VERSION } from "./installation.ts";

const FOLDER = join(import.meta.dirname, "../../migrations/functions");

/** Everything of this installation, in the order of the file names, and what it is known by. */
export interface FunctionSet {
  readonly sql: string;
  /** sha-256 of the text. */
  readonly hash: string;
}

/** Reads the folder. */
export async function readFunctions(): Promise<FunctionSet> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith(".sql")).sort();
  const sql = (await Promise.all(names.map((name) => readFile(join(FOLDER, name), "utf8")))).join("\n");
  return { sql, hash: createHash("sha256").update(sql).digest("hex") };
}

/** The hash of the set that the database holds, or null. */
export async function installedFunctions(sql: Sql): Promise<string | null> {
  const table = await sql.query<{ found: string | null }>("select to_regclass('setting') as found");
  if (!table.rows[0]?.found) return null;
  const rows = await sql.query<{ hash: string }>("select value #>> '{}' as hash from setting where key = 'functions'");
  return rows.rows[0]?.hash ?? null;
}

// What an extension brought belongs to it. Triggers go first: they hold on to their functions; then functions that no other one
// holds on to (in a parameter's default), until none is left.
const DROP_ALL = `do $$
declare one record;
begin
  for one in select g.tgname, g.tgrelid::regclass as relation from pg_trigger g join pg_class c on c.oid = g.tgrelid
    where not g.tgisinternal and g.tgparentid = 0 and c.relnamespace = current_schema()::regnamespace
  loop
    execute format('drop trigger %I on %s', one.tgname, one.relation);
  end loop;
  loop
    for one in select p.oid::regprocedure as signature from pg_proc p
      where p.pronamespace = current_schema()::regnamespace and p.prokind = 'f'
        and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
        and not exists (select from pg_depend d where d.refobjid = p.oid and d.classid = 'pg_proc'::regclass)
    loop
      execute format('drop function %s', one.signature);
    end loop;
    exit when not found;
  end loop;
end $$`;

/**
 * Puts the set in where the database holds another. The caller's transaction and lock. Returns whether it did. Throws SCHEMA_NEWER
 * where a newer qflow put its own in: an old process that starts again must not take them away.
 */
export async function installFunctions(sql: Sql): Promise<boolean> {
  const wanted = await readFunctions();
  if ((await installedFunctions(sql)) === wanted.hash) return false;
  const by = await sql.query<{ version: string }>(
    "select value #>> '{}' as version from setting where key = 'functions_version'",
  );
  const installer = by.rows[0]?.version ?? VERSION;
  if (compareVersions(installer, VERSION) > 0) {
    throw new QflowError(
      "SCHEMA_NEWER",
      `the functions in the database are those of qflow ${installer}; this is ${VERSION}`,
    );
  }
  // They call each other across files, so a body is checked when it first runs.
  await sql.query("set local check_function_bodies = off");
  await sql.query(DROP_ALL);
  await sql.query(wanted.sql);
  await sql.query(
    `insert into setting (key, value) values ('functions', to_jsonb($1::text)), ('functions_version', to_jsonb($2::text))
     on conflict (key) do update set value = excluded.value, updated_at = now()`,
    [wanted.hash, VERSION],
  );
  return true;
}

/** Order of two versions such as 1.12.0; what follows a hyphen does not count. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => (text.split("-")[0] ?? "").split(".").map(Number)) as [number[], number[]];
  return left.map((part, i) => part - (right[i] ?? 0)).find((difference) => difference !== 0) ?? 0;
}
