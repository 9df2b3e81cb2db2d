/** Statements on a PostgreSQL that is not qflow's own: one transaction, limits of rows and time, real cancel. */
import pg from "pg";
import Cursor from "pg-cursor";
import type { Connection } from "../../dag/operator.ts";
import type { Json } from "../../dag/spec.ts";
import { messageOf, QflowError } from "../../errors.ts";

/** One statement; its parameters are bound, never put into the text. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** What a statement did. */
export interface StatementResult {
  readonly rows: Record<string, Json>[];
  /** Whether more rows exist than were asked for. */
  readonly truncated: boolean;
  /** Rows written, or (without truncation) read; null where the server does not say. */
  readonly affected: number | null;
}

/** How statements run. */
export interface TransactionOptions {
  readonly mode: "read write" | "read only";
  readonly maxRows: number;
  /** Of each statement. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** What the server says beside the result. */
  notice(text: string): void;
  /** Asked right before the commit; what it throws rolls back. */
  beforeCommit(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 20_000;

/**
 * Runs statements in one transaction: all of them or none. Throws SQL_UNAVAILABLE, SQL_INVALID, SQL_FAILED, SQL_TIMEOUT, and the
 * signal's reason when it is aborted, after the server has been told to stop.
 */
export async function inPostgres(
  connection: Connection,
  statements: readonly Statement[],
  options: TransactionOptions,
): Promise<StatementResult[]> {
  options.signal.throwIfAborted();
  const client = clientOf(connection);
  client.on("notice", (notice) => options.notice(notice.message ?? ""));
  // Told by the statement that it hits.
  client.on("error", () => {});
  const stop = () => void cancel(connection, client);
  try {
    await client.connect();
    options.signal.addEventListener("abort", stop, { once: true });
    return await runAll(client, statements, options);
  } catch (error) {
    options.signal.throwIfAborted();
    throw mapped(connection, error);
  } finally {
    options.signal.removeEventListener("abort", stop);
    // Closing ends an open transaction with all it did.
    await client.end().catch(() => {});
  }
}

function clientOf({ host, port, user, password, path, options }: Connection): pg.Client {
  const ssl = { require: { rejectUnauthorized: false }, "verify-full": { rejectUnauthorized: true } }[
    options.sslmode ?? ""
  ];
  return new pg.Client({
    host,
    port: port || 5432,
    user,
    password,
    database: path.replace(/^\//, "") || user,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: "qflow-task",
    types: { getTypeParser: parserOf },
    ...(ssl ? { ssl } : {}),
  });
}

async function runAll(
  client: pg.Client,
  statements: readonly Statement[],
  options: TransactionOptions,
): Promise<StatementResult[]> {
  await client.query(`begin ${options.mode}`);
  await client.query("select set_config('statement_timeout', $1, true)", [String(Math.ceil(options.timeoutMs))]);
  const results: StatementResult[] = [];
  for (const statement of statements) {
    options.signal.throwIfAborted();
    results.push(await runOne(client, statement, options.maxRows));
  }
  await options.beforeCommit();
  options.signal.throwIfAborted();
  await client.query("commit");
  return results;
}

/** After one of these, what follows would not be one transaction. */
const ENDS = new Set(["BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK", "PREPARE TRANSACTION"]);

/** Reads no more rows than wanted, whatever the statement gives. */
async function runOne(client: pg.Client, { sql, params }: Statement, maxRows: number): Promise<StatementResult> {
  const cursor = client.query(new Cursor<Record<string, Json>>(sql, [...params]));
  const { rows, result } = await new Promise<{ rows: Record<string, Json>[]; result: pg.QueryResult }>((done, fail) =>
    cursor.read(maxRows + 1, (error, found, facts) => (error ? fail(error) : done({ rows: found, result: facts }))),
  );
  await cursor.close();
  if (ENDS.has(result.command ?? ""))
    throw new QflowError(
      "SQL_INVALID",
      `the statement ${result.command} ends the transaction; leave that to the operator`,
    );
  const truncated = rows.length > maxRows;
  return { rows: rows.slice(0, maxRows), truncated, affected: truncated ? null : (result.rowCount ?? null) };
}

/** The server is told on a connection of its own: the busy one does not listen. */
async function cancel(connection: Connection, busy: pg.Client): Promise<void> {
  const { processID } = busy as pg.Client & { processID: number | null };
  const client = clientOf(connection);
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("select pg_cancel_backend($1)", [processID]);
  } catch {
    // It cannot be told; closing our side is all that is left.
  } finally {
    await client.end().catch(() => {});
    await busy.end().catch(() => {});
  }
}

const INSTANT = 1184;
/** Dates and times without a zone, and lengths of time: as the server writes them, which no clock of ours changes. */
const AS_TEXT = new Set([1082, 1083, 1114, 1266, 1186]);

const parserOf: typeof pg.types.getTypeParser = (oid: number, format?: "text" | "binary") => {
  if (AS_TEXT.has(oid)) return (text: string) => text;
  if (oid === INSTANT) return isoOf;
  return pg.types.getTypeParser(oid, format as "text");
};

function isoOf(text: string): string {
  const instant = pg.types.getTypeParser(INSTANT)(text) as unknown;
  return instant instanceof Date && !Number.isNaN(instant.getTime()) ? instant.toISOString() : text;
}

/** Syntax and names, data that does not fit, what is not supported, who may not, which database. */
const INVALID = /^(42|22|0A|28|3D|2F|25006)/;
const AWAY = /^(08|57P|53)/;

function mapped(connection: Connection, error: unknown): unknown {
  if (error instanceof QflowError) return error;
  const { code = "" } = error as { code?: string };
  const name = `PostgreSQL ${connection.host}:${connection.port || 5432}`;
  const details = code === "" ? {} : { sqlState: code };
  if (code === "57014") return new QflowError("SQL_TIMEOUT", `${name}: ${messageOf(error)}`, { details });
  if (/^[0-9A-Z]{5}$/.test(code) && !AWAY.test(code))
    return new QflowError(INVALID.test(code) ? "SQL_INVALID" : "SQL_FAILED", `${name}: ${messageOf(error)}`, {
      details,
    });
  return new QflowError("SQL_UNAVAILABLE", `${name}: ${messageOf(error) || code}`, { details });
}
