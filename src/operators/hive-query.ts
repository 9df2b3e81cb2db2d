/** `hiveQuery`: a query over the lake through HiveServer2's protocol. */
import { z } from "zod";
import { defineOperator } from "../dag/define-operator.ts";

/** Config of {@link hiveQuery}. */
export const hiveQuerySchema = z.strictObject({
  /** A HiveServer2 connection. */
  connection: z.string().min(1).default("hive_default"),
  /** One statement. */
  query: z.string().min(1),
  /** So many rows become the value. */
  maxRows: z.number().int().min(0).max(100_000).default(1_000),
  /** Longest time of the statement. */
  statementSeconds: z.number().positive().default(300),
});

/** What the query found: the XCom of {@link hiveQuery}. */
export interface HiveQueryResult {
  columns: { name: string; type: string }[];
  /** By column; decimals, 64-bit integers, dates and nested values are strings. */
  rows: Record<string, string | number | boolean | null>[];
  /** Whether there were more. */
  truncated: boolean;
}

/** Runs a query. See docs/operators/hive-query.md. */
export const hiveQuery = defineOperator<HiveQueryResult, typeof hiveQuerySchema>("hive_query", hiveQuerySchema);
