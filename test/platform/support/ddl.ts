/** The platform's tables as statements, for tests that run jobs without the whole installation. */
import { STREAM_REPORTS, STREAM_TABLES } from "../../../dags/qcompany/stream-tables.ts";
import { DATABASES, TABLES } from "../../../dags/qcompany/tables.ts";

type Column = (typeof TABLES)[number]["columns"][number];

function columnList(columns: readonly Column[]): string {
  return columns.map((column) => `\`${column.name}\` ${column.type}`).join(", ");
}

/** CREATE statements, in order; safe to repeat. */
export function createStatements(): string[] {
  const databases = DATABASES.map((database) => `create database if not exists ${database.name}`);
  const tables = [...TABLES, ...STREAM_TABLES, ...STREAM_REPORTS].map((table) => {
    const partitions = table.partitionedBy.length > 0 ? ` partitioned by (${columnList(table.partitionedBy)})` : "";
    return `create table if not exists ${table.name} (${columnList(table.columns)})${partitions} stored as ${table.format}`;
  });
  return [...databases, ...tables];
}
