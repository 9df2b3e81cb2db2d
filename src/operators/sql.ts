/** `sql`: statements on a PostgreSQL. */
import { z } from "zod";
import { defineOperator } from "../dag/define-operator.ts";
import type { Json } from "../dag/spec.ts";

const statement = z.strictObject({
  sql: z.string().min(1),
  /** Values of `$1`, `$2` …: bound, never put into the text. */
  params: z.array(z.unknown()).default([]),
});

/** Config of {@link sql}. */
export const sqlSchema = z.strictObject({
  /** Connection id: `postgres://user:password@host:port/database?sslmode=verify-full`. */
  connection: z.string().min(1),
  /** Run in order, in one transaction. */
  statements: z.array(statement).min(1),
  /** `read only` lets the server refuse what writes. */
  mode: z.enum(["read write", "read only"]).default("read write"),
  /** Of the last statement so many rows become the value. */
  maxRows: z.number().int().min(0).max(100_000).default(1_000),
  /** Longest time of one statement. */
  statementSeconds: z.number().positive().default(300),
});

/** What the statements did: the XCom of {@link sql}. */
export interface SqlResult {
  /** Of the last statement; 64-bit integers and decimals are strings, instants ISO 8601 in UTC. */
  rows: Record<string, Json>[];
  /** Whether it had more. */
  truncated: boolean;
  /** Rows that each statement wrote or read; null where only a part was read. */
  affected: (number | null)[];
}

/** Runs statements, all of them or none. See docs/operators/sql.md. */
export const sql = defineOperator<SqlResult, typeof sqlSchema>("sql", sqlSchema);
