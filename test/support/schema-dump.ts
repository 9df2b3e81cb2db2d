/** Prints a database's schema in one fixed order, so that a change of it shows as a change of a file. */
import type { Sql } from "../../src/metadata/database.ts";

/** Tables of the migrator, and partitions, which come and go with time, are left out. */
const OWN_TABLES = `
  select c.oid, c.relname, c.relkind, c.relpersistence from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'S') and not c.relispartition
    and c.relname not like 'schema_migration%'`;

/** The schema as text: tables with columns and constraints, indexes, triggers, views, sequences. Functions are files themselves. */
export async function dumpSchema(sql: Sql): Promise<string> {
  const sections = [
    await tables(sql),
    await lines(sql, "indexes", INDEXES),
    await lines(sql, "triggers", TRIGGERS),
    await lines(sql, "views", VIEWS),
    await lines(sql, "sequences", SEQUENCES),
  ];
  return `-- The schema all migrations make, written by a test. Do not edit.\n\n${sections.join("\n")}`;
}

const INDEXES = `
  select pg_get_indexdef(i.indexrelid) as line from pg_index i join (${OWN_TABLES}) t on t.oid = i.indrelid
  where not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u'))`;

const TRIGGERS = `
  select pg_get_triggerdef(g.oid) as line from pg_trigger g join (${OWN_TABLES}) t on t.oid = g.tgrelid
  where not g.tgisinternal`;

const VIEWS = `
  select 'create view ' || relname || ' as ' || pg_get_viewdef(oid) as line from (${OWN_TABLES}) t where relkind = 'v'`;

const SEQUENCES = `
  select 'create sequence ' || relname as line from (${OWN_TABLES}) t
  where relkind = 'S' and not exists (select from pg_depend d where d.objid = t.oid and d.deptype in ('a', 'i'))`;

async function lines(sql: Sql, title: string, query: string): Promise<string> {
  const result = await sql.query<{ line: string }>(`select line from (${query}) x order by line collate "C"`);
  if (result.rows.length === 0) return "";
  return `-- ${title}\n${result.rows.map(({ line }) => `${line.trimEnd().replace(/;$/, "")};\n`).join("")}`;
}

async function tables(sql: Sql): Promise<string> {
  const result = await sql.query<{ name: string; kind: string; parts: string[] }>(
    `select t.relname as name, coalesce(' partition by ' || pg_get_partkeydef(case when t.relkind = 'p' then t.oid end), '') as kind, (
       select array_agg(line order by place, line collate "C") from (
         select 0 + a.attnum as place, quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
           || case when a.attnotnull then ' not null' else '' end
           || case a.attidentity when '' then '' else ' generated always as identity' end
           || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') as line
         from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
         where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
         union all
         select 10000, 'constraint ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
         from pg_constraint k where k.conrelid = t.oid and k.contype in ('p', 'u', 'f', 'c', 'x')
       ) part) as parts
     from (${OWN_TABLES}) t where t.relkind in ('r', 'p') order by t.relname`,
  );
  return result.rows
    .map(
      ({ name, kind, parts }) => `create table ${name} (\n${parts.map((part) => `  ${part}`).join(",\n")}\n)${kind};\n`,
    )
    .join("\n");
}
