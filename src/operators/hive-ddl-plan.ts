/** Decides which statements bring a table from what it is to what it should be; nothing here talks to a server. */
import type { HiveColumn, HiveDatabase, HiveTable, HiveView } from "./hive-ddl.ts";

/** A table or view as DESCRIBE TABLE EXTENDED tells it. */
export interface ActualTable {
  readonly kind: "table" | "view";
  readonly columns: readonly { name: string; type: string; comment: string }[];
  readonly partitionedBy: readonly { name: string; type: string; comment: string }[];
  readonly comment: string;
  /** As shown: `[key=value, key=value]`. */
  readonly properties: string;
  readonly viewText: string | null;
}

/** What to run, and what will not be done because data would be lost. */
export interface DdlPlan {
  readonly statements: string[];
  readonly refusals: string[];
}

/** A string literal of Spark SQL. */
export function literal(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** `db.name` quoted. */
export function quoted(name: string): string {
  return name
    .split(".")
    .map((part) => `\`${part}\``)
    .join(".");
}

/** Reads the rows of DESCRIBE TABLE EXTENDED: columns, then sections that begin with `# …`. */
export function readDescription(rows: readonly (readonly unknown[])[]): ActualTable {
  const cells = rows.map((row) => row.map((cell) => (cell === null ? "" : String(cell))));
  const sectionAt = (title: string) => cells.findIndex(([name]) => name === title);
  const firstSection = cells.findIndex(([name]) => name === "" || name?.startsWith("#"));
  const partitionStart = sectionAt("# Partition Information");
  const partitionRows =
    partitionStart < 0
      ? []
      : until(cells.slice(partitionStart + 2), ([name]) => name === "" || !!name?.startsWith("#"));
  const details = new Map(
    cells.slice(Math.max(0, sectionAt("# Detailed Table Information"))).map(([key, value]) => [key, value ?? ""]),
  );
  const partitionedBy = partitionRows.map(columnOf);
  const names = new Set(partitionedBy.map((column) => column.name));
  const all = (firstSection < 0 ? cells : cells.slice(0, firstSection)).map(columnOf);
  return {
    kind: details.get("Type") === "VIEW" ? "view" : "table",
    columns: all.filter((column) => !names.has(column.name)),
    partitionedBy,
    comment: details.get("Comment") ?? "",
    properties: details.get("Table Properties") ?? "[]",
    viewText: details.get("View Text") ?? null,
  };
}

function columnOf([name = "", type = "", comment = ""]: readonly string[]): {
  name: string;
  type: string;
  comment: string;
} {
  return { name, type, comment };
}

function until<T>(rows: readonly T[], stop: (row: T) => boolean): T[] {
  const end = rows.findIndex(stop);
  return end < 0 ? [...rows] : rows.slice(0, end);
}

/** Statement that creates a database. */
export function createDatabase(database: HiveDatabase): string {
  const parts = [`CREATE DATABASE IF NOT EXISTS ${quoted(database.name)}`];
  if (database.comment) parts.push(`COMMENT ${literal(database.comment)}`);
  if (database.location) parts.push(`LOCATION ${literal(database.location)}`);
  const properties = propertyList(database.properties);
  if (properties) parts.push(`WITH DBPROPERTIES (${properties})`);
  return parts.join(" ");
}

/** Statements for one table; `actual` null = it does not exist. */
export function planTable(wanted: HiveTable, actual: ActualTable | null): DdlPlan {
  if (actual === null) return { statements: [createTable(wanted), ...repair(wanted)], refusals: [] };
  if (actual.kind === "view") return { statements: [], refusals: [`${wanted.name} is a view, not a table`] };
  const refusals = [...columnRefusals(wanted, actual), ...partitionRefusals(wanted, actual)];
  const missing = wanted.columns.filter((column) => !find(actual.columns, column.name));
  const statements: string[] = [];
  if (missing.length > 0) {
    statements.push(`ALTER TABLE ${quoted(wanted.name)} ADD COLUMNS (${missing.map(columnClause).join(", ")})`);
  }
  for (const column of wanted.columns) {
    const now = find(actual.columns, column.name);
    if (now && column.comment !== undefined && column.comment !== now.comment) {
      statements.push(
        `ALTER TABLE ${quoted(wanted.name)} ALTER COLUMN \`${column.name}\` COMMENT ${literal(column.comment)}`,
      );
    }
  }
  if (wanted.comment !== undefined && wanted.comment !== actual.comment) {
    statements.push(`COMMENT ON TABLE ${quoted(wanted.name)} IS ${literal(wanted.comment)}`);
  }
  const properties = Object.entries(wanted.properties).filter((one) => !hasProperty(actual, one));
  if (properties.length > 0) {
    const list = propertyList(Object.fromEntries(properties));
    statements.push(`ALTER TABLE ${quoted(wanted.name)} SET TBLPROPERTIES (${list})`);
  }
  return { statements: [...statements, ...repair(wanted)], refusals };
}

function hasProperty(actual: ActualTable, [key, value]: [string, string]): boolean {
  return `, ${actual.properties.slice(1, -1)}, `.includes(`, ${key}=${value}, `);
}

/** Statements for one view; `actual` null = it does not exist. */
export function planView(wanted: HiveView, actual: ActualTable | null): DdlPlan {
  if (actual?.kind === "table") return { statements: [], refusals: [`${wanted.name} is a table, not a view`] };
  if (actual?.viewText?.trim() === wanted.query.trim() && (wanted.comment ?? actual.comment) === actual.comment) {
    return { statements: [], refusals: [] };
  }
  const comment = wanted.comment === undefined ? "" : ` COMMENT ${literal(wanted.comment)}`;
  return { statements: [`CREATE OR REPLACE VIEW ${quoted(wanted.name)}${comment} AS ${wanted.query}`], refusals: [] };
}

function createTable(table: HiveTable): string {
  const parts = [`CREATE ${table.location ? "EXTERNAL " : ""}TABLE IF NOT EXISTS ${quoted(table.name)}`];
  parts.push(`(${table.columns.map(columnClause).join(", ")})`);
  if (table.comment) parts.push(`COMMENT ${literal(table.comment)}`);
  if (table.partitionedBy.length > 0)
    parts.push(`PARTITIONED BY (${table.partitionedBy.map(columnClause).join(", ")})`);
  parts.push(`STORED AS ${table.format.toUpperCase()}`);
  if (table.location) parts.push(`LOCATION ${literal(table.location)}`);
  const properties = propertyList(table.properties);
  if (properties) parts.push(`TBLPROPERTIES (${properties})`);
  return parts.join(" ");
}

function repair(table: HiveTable): string[] {
  return table.repair === "always" && table.partitionedBy.length > 0 ? [`MSCK REPAIR TABLE ${quoted(table.name)}`] : [];
}

function columnClause(column: HiveColumn): string {
  return `\`${column.name}\` ${column.type}${column.comment ? ` COMMENT ${literal(column.comment)}` : ""}`;
}

function propertyList(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([key, value]) => `${literal(key)} = ${literal(value)}`)
    .join(", ");
}

function columnRefusals(wanted: HiveTable, actual: ActualTable): string[] {
  const refusals: string[] = [];
  for (const now of actual.columns) {
    const then = find(wanted.columns, now.name);
    if (!then)
      refusals.push(`${wanted.name}: column ${now.name} exists and is not wanted; dropping it would lose its data`);
    else if (typeOf(then.type) !== typeOf(now.type)) {
      refusals.push(
        `${wanted.name}: column ${now.name} is ${now.type}, wanted ${then.type}; a change of type can lose data`,
      );
    }
  }
  return refusals;
}

function partitionRefusals(wanted: HiveTable, actual: ActualTable): string[] {
  const text = (columns: readonly { name: string; type: string }[]) =>
    columns.map((column) => `${column.name} ${typeOf(column.type)}`).join(", ");
  if (text(wanted.partitionedBy) === text(actual.partitionedBy)) return [];
  return [`${wanted.name}: partitioned by (${text(actual.partitionedBy)}), wanted (${text(wanted.partitionedBy)})`];
}

/** Types are compared without case and blanks: `DECIMAL(10, 2)` is `decimal(10,2)`. */
function typeOf(type: string): string {
  const bare = type.toLowerCase().replace(/\s+/g, "");
  return bare === "integer" ? "int" : bare;
}

function find<C extends { name: string }>(columns: readonly C[], name: string): C | undefined {
  return columns.find((column) => column.name.toLowerCase() === name.toLowerCase());
}
