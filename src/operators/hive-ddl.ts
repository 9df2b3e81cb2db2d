/** `hiveDdl`: brings databases, tables and views to a desired state through HiveServer2's protocol. */
import { z } from "zod";
import { defineOperator } from "../dag/define-operator.ts";

const identifier = z.string().regex(/^[a-z_][a-z0-9_]*$/, "identifiers are lower case letters, digits and _");
const qualified = z.string().regex(/^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$/, "a name is database.table in lower case");
const properties = z.record(z.string(), z.string());

const columnSchema = z.strictObject({ name: identifier, type: z.string().min(1), comment: z.string().optional() });

const databaseSchema = z.strictObject({
  name: identifier,
  comment: z.string().optional(),
  /** URI of its folder; where it is not given, the warehouse decides. It is only used on creation. */
  location: z.string().optional(),
  properties: properties.default({}),
});

const tableSchema = z.strictObject({
  name: qualified,
  columns: z.array(columnSchema).min(1),
  /** Partition columns, in order; they are not repeated in `columns`. */
  partitionedBy: z.array(columnSchema).default([]),
  format: z.enum(["parquet", "orc", "textfile"]).default("parquet"),
  /** Given: the table is external and its files stay when it is dropped. */
  location: z.string().optional(),
  comment: z.string().optional(),
  properties: properties.default({}),
  /** Whether partitions that exist only as folders are registered (MSCK REPAIR TABLE) every time. */
  repair: z.enum(["never", "always"]).default("never"),
});

const viewSchema = z.strictObject({ name: qualified, query: z.string().min(1), comment: z.string().optional() });

/** Config of {@link hiveDdl}: the desired state. What it does not name is left alone. */
export const hiveDdlSchema = z.strictObject({
  connection: z.string().min(1),
  databases: z.array(databaseSchema).default([]),
  tables: z.array(tableSchema).default([]),
  views: z.array(viewSchema).default([]),
  /** Longest time one statement may take. */
  statementSeconds: z.number().positive().default(300),
});

export type HiveDdlConfig = z.output<typeof hiveDdlSchema>;
export type HiveDatabase = z.output<typeof databaseSchema>;
export type HiveTable = z.output<typeof tableSchema>;
export type HiveView = z.output<typeof viewSchema>;
export type HiveColumn = z.output<typeof columnSchema>;

/** The statements that were run, in order: the XCom of {@link hiveDdl}. Empty when nothing was missing. */
export type HiveDdlResult = string[];

/** Creates and extends what is missing; refuses with DDL_REFUSED what would lose data. See docs/operators/hive-ddl.md. */
export const hiveDdl = defineOperator<HiveDdlResult, typeof hiveDdlSchema>("hive_ddl", hiveDdlSchema);
