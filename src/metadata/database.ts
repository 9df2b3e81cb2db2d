/** The one door to qflow's own PostgreSQL. */
import pg from "pg";

/** Runs one statement; values are always bound. */
export interface Sql {
  query<R extends pg.QueryResultRow = pg.QueryResultRow>(text: string, values?: unknown[]): Promise<pg.QueryResult<R>>;
}

/** A pool of connections. */
export interface Database extends Sql {
  readonly url: string;
  /** A statement with a `name` is read and planned once a connection: for what runs all the time. */
  query<R extends pg.QueryResultRow = pg.QueryResultRow>(
    text: string,
    values?: unknown[],
    name?: string,
  ): Promise<pg.QueryResult<R>>;
  /** Runs `work` in one READ COMMITTED transaction; a COMMIT answered by ROLLBACK throws. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** A dedicated connection (LISTEN, cursors, advisory locks); the caller releases it. */
  connect(): Promise<pg.PoolClient>;
  close(): Promise<void>;
}

/** How a pool is opened. */
export interface DatabaseOptions {
  /** Most connections at once. */
  readonly max: number;
  /** By which name the server's lists show them. */
  readonly applicationName: string;
  /** A statement that takes longer is ended by the server, in milliseconds; no limit unless set. */
  readonly statementMs?: number;
  /** The same for waiting for one lock. */
  readonly lockMs?: number;
}

/** Opens a pool. Nothing connects until the first statement. */
export function openDatabase(url: string, options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.max,
    application_name: options.applicationName,
    keepAlive: true,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 30_000,
    // A process that is stopped inside a transaction must not keep its locks.
    idle_in_transaction_session_timeout: 15_000,
    ...(options.statementMs !== undefined && { statement_timeout: options.statementMs }),
    ...(options.lockMs !== undefined && { lock_timeout: options.lockMs }),
  });
  // An idle client that loses its server emits here; the pool replaces it on the next query.
  pool.on("error", () => {});
  // So does a client between two statements of a transaction; its next statement says so where it is handled.
  pool.on("connect", (client) => {
    client.on("error", () => {});
  });
  const query: Database["query"] = (text, values, name) =>
    pool.query({ text, ...(values && { values }), ...(name && { name }) });
  return databaseOver({ query, connect: () => pool.connect(), end: () => pool.end() }, url);
}

/** What a {@link Database} needs of a pool of connections. */
export interface Connections {
  readonly query: Database["query"];
  connect(): Promise<pg.PoolClient>;
  end(): Promise<void>;
}

/** The door over a pool that is there already; {@link openDatabase} opens one of its own. */
export function databaseOver(pool: Connections, url: string): Database {
  return {
    url,
    query: (text, values, name) => pool.query(text, values, name),
    connect: () => pool.connect(),
    close: () => pool.end(),
    transaction: (work) => inTransaction(pool, work),
  };
}

async function inTransaction<T>(pool: Connections, work: (sql: Sql) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    return await transactionOn(client, work, (error) => {
      broken = error;
    });
  } finally {
    client.release(broken);
  }
}

/**
 * As {@link Database.transaction}, on a connection that the caller holds. `unusable` hears of a connection on which not even the
 * rollback went through.
 */
export async function transactionOn<T>(
  client: pg.PoolClient,
  work: (sql: Sql) => Promise<T>,
  unusable: (error: Error) => void = () => {},
): Promise<T> {
  try {
    await client.query("begin isolation level read committed");
    const result = await work(client);
    const end = await client.query("commit");
    // guard: commit-answered
    if (end.command !== "COMMIT") throw new Error(`transaction ended with ${end.command}`);
    return result;
  } catch (error) {
    await client.query("rollback").catch(unusable);
    throw error;
  }
}
