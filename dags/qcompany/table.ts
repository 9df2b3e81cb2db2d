/** How a table of the lake is written down. */
import type { HiveDdlConfig } from "qflow/operators";

/** A table as `hiveDdl` takes it. */
export type Table = HiveDdlConfig["tables"][number];
/** One of its columns. */
export type Column = Table["columns"][number];

/** `name type – comment` in one line each. */
export function columns(...lines: [name: string, type: string, comment?: string][]): Column[] {
  return lines.map(([name, type, comment]) => (comment === undefined ? { name, type } : { name, type, comment }));
}

/** A table in Parquet. Personal columns are named in its properties, where the catalog reads their class. */
export function table(
  name: string,
  comment: string,
  tableColumns: Column[],
  partitionedBy: Column[] = [],
  pii: string[] = [],
): Table {
  const properties: Record<string, string> = { owner_team: "data-platform" };
  if (pii.length > 0) properties.pii_columns = pii.join(",");
  return { name, comment, columns: tableColumns, partitionedBy, format: "parquet", properties, repair: "never" };
}
