/** SQL over the lake for readers: read-only, limited in rows and time. */
import type { Connection } from "../dag/operator.ts";
import { QflowError } from "../errors.ts";
import type { HiveReader } from "../metadata/catalog-sync.ts";
import type { HiveResult, HiveSession } from "../operators/clients/hive.ts";

/** Limits of one query. */
export interface QueryLimits {
  readonly maxRows: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Runs SQL over the lake. */
export interface QueryEngine {
  /** One read-only statement in a session of its own. Throws SQL_NOT_READ_ONLY, HIVE_QUERY_INVALID, HIVE_FAILED, HIVE_TIMEOUT (cancelled), HIVE_UNAVAILABLE. */
  query(sql: string, limits: QueryLimits): Promise<HiveResult>;
  /** Many small statements in one session, which ends with `work`. */
  session<T>(work: (hive: HiveReader) => Promise<T>): Promise<T>;
}

/** The query engine. Throws HIVE_UNAVAILABLE where this process has none. */
export function requireEngine(api: { readonly query: QueryEngine | null }): QueryEngine {
  if (api.query) return api.query;
  throw new QflowError("HIVE_UNAVAILABLE", "this server has no HiveServer2 endpoint to ask");
}

const SYNC_TIMEOUT_MS = 120_000;
const SYNC_MAX_ROWS = 200_000;

/** A query engine on a HiveServer2 endpoint. Nothing connects until the first query. */
export function hiveQueryEngine(connection: Connection): QueryEngine {
  return {
    query: async (sql, limits) => {
      const statement = requireReadOnly(sql);
      const session = await open(connection);
      try {
        // Without it a query can name any file that the server may read.
        await session.execute("set spark.sql.runSQLOnFiles=false", { timeoutMs: limits.timeoutMs });
        return await session.query(statement, limits);
      } finally {
        await session.close();
      }
    },
    session: async (work) => {
      const session = await open(connection);
      try {
        return await work({
          rows: async (sql) => (await session.query(sql, { timeoutMs: SYNC_TIMEOUT_MS, maxRows: SYNC_MAX_ROWS })).rows,
        });
      } finally {
        await session.close();
      }
    },
  };
}

/** The driver is large, and many an API never needs it. */
async function open(connection: Connection): Promise<HiveSession> {
  const { openHive } = await import("../operators/clients/hive.ts");
  return openHive(connection);
}

/** What begins a query. Of these only WITH and FROM can go on to write. */
const READING = /^[\s(]*(select|values|table|show|describe|desc|explain|with|from)\b/i;
const WRITING = /\b(insert|merge|delete|update)\b/i;
/** Functions that call any Java method, and what Spark replaces by settings and environment variables before it parses. */
const ESCAPING = /\b(?:try_reflect|reflect|java_method)\b|\$\{/i;
/** Rows through a program: `TRANSFORM (…) USING 'program'`, also written MAP and REDUCE. The USING of a join has a parenthesis. */
const SCRIPTING = /\b(?:transform|map|reduce)\b/i;
const PROGRAM = /\busing\b(?!\s*\()/i;

/**
 * Refuses statements that could write or leave the lake, before they are sent. Looks at the whole text, strings and comments
 * too: what a quick scanner takes for a string, Spark may not. Returns the statement without trailing semicolons.
 * Throws SQL_NOT_READ_ONLY.
 */
export function requireReadOnly(sql: string): string {
  const statement = sql.replace(/[;\s]+$/, "");
  const opening = READING.exec(withoutLeadingComments(statement))?.[1]?.toLowerCase();
  if (!opening) throw new QflowError("SQL_NOT_READ_ONLY", "this statement is not a query");
  const word = opening === "with" || opening === "from" ? WRITING.exec(statement)?.[0] : undefined;
  const program = SCRIPTING.test(statement) ? PROGRAM.exec(statement)?.[0] : undefined;
  const refused = word ?? ESCAPING.exec(statement)?.[0] ?? program;
  if (refused)
    throw new QflowError("SQL_NOT_READ_ONLY", `"${refused}" may not occur in this query, not even in a string`);
  return statement;
}

function withoutLeadingComments(sql: string): string {
  return sql.replace(/^(\s+|--[^\n]*(\n|$)|\/\*[^*]*\*+(?:[^/*][^*]*\*+)*\/)*/, "");
}
