/** Looks up in the metastore what the lake's tables are: columns, comments, partitions, row counts, personal data. */
import { messageOf } from "../errors.ts";
import { CATALOG_LAYERS } from "./catalog-names.ts";
import { ensureDatasets, recordClasses, recordSchemas, type SeenColumn } from "./catalog-nodes.ts";
import type { Database, Sql } from "./database.ts";

/** One session of HiveServer2. */
export interface HiveReader {
  /** All rows of a query, as values in the order of its columns. */
  rows(sql: string): Promise<readonly (readonly (string | number | boolean | null)[])[]>;
}

/** What a {@link syncCatalog} found. */
export interface SyncReport {
  /** Tables looked up. */
  readonly tables: number;
  /** Tables that could not be read, with the reason. */
  readonly failed: { table: string; reason: string }[];
}

/** Databases that belong to the platform; others in the metastore are looked up too when `databases` names them. */
const DATABASES = CATALOG_LAYERS.filter((layer) => !["source", "report", "other"].includes(layer));

/**
 * Brings the catalog up to the metastore: every table of the platform's databases, or `tables` (as `db.table`) alone.
 * A table that cannot be read is reported and keeps what was known.
 */
export async function syncCatalog(db: Database, hive: HiveReader, tables?: readonly string[]): Promise<SyncReport> {
  const wanted = tables ?? (await allTables(hive));
  const failed: SyncReport["failed"] = [];
  for (const table of wanted) {
    try {
      const found = await lookUp(hive, table);
      await db.transaction((sql) => store(sql, table, found));
    } catch (error) {
      failed.push({ table, reason: messageOf(error) });
      // It was looked at: it comes again with its next write.
      await db.query("update catalog_dataset set synced_at = now() where name = $1", [table]);
    }
  }
  return { tables: wanted.length - failed.length, failed };
}

/** Tables in the metastore that the catalog has never looked at. */
export async function unknownTables(db: Sql, hive: HiveReader): Promise<string[]> {
  const tables = await allTables(hive);
  const known = await db.query<{ name: string }>(
    "select name from catalog_dataset where synced_at is not null and name = any ($1)",
    [tables],
  );
  const names = new Set(known.rows.map((row) => row.name));
  return tables.filter((name) => !names.has(name));
}

async function allTables(hive: HiveReader): Promise<string[]> {
  const present = new Set((await hive.rows("show databases")).map((row) => String(row[0])));
  const names: string[] = [];
  for (const database of DATABASES.filter((name) => present.has(name))) {
    const rows = await hive.rows(`show tables in ${quoted(database)}`);
    // namespace, tableName, isTemporary
    names.push(...rows.map((row) => `${database}.${row[1]}`));
  }
  return names;
}

function quoted(name: string): string {
  return name
    .split(".")
    .map((part) => `\`${part.replaceAll("`", "``")}\``)
    .join(".");
}

interface TableFacts {
  readonly columns: SeenColumn[];
  readonly comment: string | null;
  readonly owner: string | null;
  readonly personal: string[];
  readonly partitions: { spec: string; rows: number }[];
  readonly rows: number;
}

async function lookUp(hive: HiveReader, table: string): Promise<TableFacts> {
  const described = readDescription(await hive.rows(`describe table extended ${quoted(table)}`));
  const keys = described.columns.filter((column) => column.is_partition).map((column) => column.name);
  const partitions = keys.length === 0 ? [] : await countPartitions(hive, table, keys);
  const total =
    keys.length === 0
      ? Number((await hive.rows(`select count(*) from ${quoted(table)}`))[0]?.[0] ?? 0)
      : partitions.reduce((sum, one) => sum + one.rows, 0);
  return { ...described, partitions, rows: total };
}

/** Parquet footers answer a count by partition: no column is read. */
async function countPartitions(hive: HiveReader, table: string, keys: readonly string[]) {
  const list = keys.map(quoted).join(", ");
  const texts = keys.map((key) => `cast(${quoted(key)} as string)`).join(", ");
  const rows = await hive.rows(`select ${texts}, count(*) from ${quoted(table)} group by ${list}`);
  return rows.map((row) => ({
    spec: keys.map((key, index) => `${key}=${row[index] ?? "__HIVE_DEFAULT_PARTITION__"}`).join("/"),
    rows: Number(row[keys.length]),
  }));
}

/** Reads `describe table extended`: columns, `# Partition Information`, `# Detailed Table Information`. */
function readDescription(rows: readonly (readonly unknown[])[]): Omit<TableFacts, "partitions" | "rows"> {
  const columns = new Map<string, SeenColumn>();
  const facts = new Map<string, string>();
  let section: "columns" | "partitions" | "facts" = "columns";
  for (const [first, second, third] of rows.map((row) => row.map((cell) => String(cell ?? "").trim()))) {
    if (!first || first === "# col_name") continue;
    if (first.startsWith("# Partition")) section = "partitions";
    else if (first.startsWith("# ")) section = "facts";
    else if (section === "facts") facts.set(first, second ?? "");
    else {
      const seen: SeenColumn = {
        name: first,
        type: second || null,
        description: third || columns.get(first)?.description || null,
      };
      columns.set(first, section === "partitions" ? { ...seen, is_partition: true } : seen);
    }
  }
  const properties = readProperties(facts.get("Table Properties") ?? "");
  return {
    columns: [...columns.values()],
    comment: facts.get("Comment") || null,
    owner: properties.get("owner_team") ?? null,
    personal: (properties.get("pii_columns") ?? "").split(",").filter(Boolean),
  };
}

/** `[a=1, b=x,y]`: a value runs up to the next `, name=`. */
function readProperties(text: string): Map<string, string> {
  const pairs = text.replace(/^\[|\]$/g, "").split(/,\s(?=[\w.]+=)/);
  return new Map(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as const;
    }),
  );
}

async function store(sql: Sql, table: string, found: TableFacts): Promise<void> {
  const datasetId = (await ensureDatasets(sql, [table])).get(table) as string;
  await sql.query(
    `update catalog_dataset set kind = 'table', row_count = $2, partition_count = $3, synced_at = now(),
       description = coalesce(description, $4), owner = coalesce(owner, $5) where dataset_id = $1`,
    [datasetId, found.rows, found.partitions.length, found.comment, found.owner],
  );
  await recordSchemas(sql, [{ datasetId, dataset: table, source: "hive", columns: found.columns, at: new Date() }]);
  await recordClasses(
    sql,
    found.personal.map((name) => ({ dataset_id: datasetId, column_name: name, classification: "pii.declared" })),
  );
  await sql.query("delete from catalog_partition where dataset_id = $1 and spec <> all ($2)", [
    datasetId,
    found.partitions.map((one) => one.spec),
  ]);
  await sql.query(
    `insert into catalog_partition as p (dataset_id, spec, row_count, updated_at)
     select $1, s, r, now() from unnest($2::text[], $3::bigint[]) as x(s, r)
     on conflict (dataset_id, spec) do update set row_count = excluded.row_count, updated_at = now()
       where p.row_count is distinct from excluded.row_count`,
    [datasetId, found.partitions.map((one) => one.spec), found.partitions.map((one) => one.rows)],
  );
}
