/** A session of HiveServer2: statements, exact rows, real cancel. The only place that knows hive-driver. */
import { setTimeout as sleep } from "node:timers/promises";
import hiveDriver from "hive-driver";
import type { Connection } from "../../dag/operator.ts";
import { messageOf, QflowError } from "../../errors.ts";
import {
  columnsOf,
  type HiveColumnInfo,
  type HiveValue,
  rowsOf,
  type WireRowSet,
  type WireSchema,
} from "./hive-rows.ts";

/** How long a statement may take, and what aborts it. */
export interface StatementOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A finished query. */
export interface HiveResult {
  readonly columns: readonly HiveColumnInfo[];
  readonly rows: HiveValue[][];
  /** Whether more rows exist than were asked for. */
  readonly truncated: boolean;
}

/** One open session. Statements run one after another. */
export interface HiveSession {
  /** Runs a statement whose rows nobody needs. Throws HIVE_QUERY_INVALID, HIVE_FAILED, HIVE_TIMEOUT or HIVE_UNAVAILABLE. */
  execute(sql: string, options: StatementOptions): Promise<void>;
  /** Runs a query and fetches at most `maxRows` rows. Throws as {@link execute}. */
  query(sql: string, options: StatementOptions & { maxRows: number }): Promise<HiveResult>;
  /** Runs a query and yields its rows in portions, never holding more than one. Throws as {@link execute}. */
  stream(
    sql: string,
    options: StatementOptions,
  ): AsyncGenerator<{ columns: readonly HiveColumnInfo[]; rows: HiveValue[][] }>;
  close(): Promise<void>;
}

type DriverSession = Awaited<ReturnType<InstanceType<typeof hiveDriver.HiveClient>["openSession"]>>;
type Operation = Awaited<ReturnType<DriverSession["executeStatement"]>>;

const { TCLIService, TCLIService_types: types } = hiveDriver.thrift;
const STATES = types.TOperationState as Record<string, number>;
const ENDED_BADLY = new Set([STATES.CANCELED_STATE, STATES.CLOSED_STATE, STATES.ERROR_STATE, STATES.TIMEDOUT_STATE]);
const CONNECT_TIMEOUT_MS = 20_000;
const FETCH_ROWS = 5_000;
/** A statement is asked after at growing intervals: short ones are answered at once, long ones cost nothing. */
const FIRST_POLL_MS = 5;
const LONGEST_POLL_MS = 250;

/** Opens a session. Throws HIVE_UNAVAILABLE when the server does not answer. */
export async function openHive(connection: Connection): Promise<HiveSession> {
  const client = new hiveDriver.HiveClient(TCLIService, types);
  const lost = new Promise<never>((_, fail) => {
    client.on("error", (error: unknown) => fail(unavailable(connection, messageOf(error))));
    client.on("close", () => fail(unavailable(connection, "the connection was closed")));
  });
  // Nobody may be waiting when the server goes away; the next call hears of it.
  lost.catch(() => {});
  const opening = openDriverSession(client, connection);
  opening.catch(() => {});
  const session = await Promise.race([opening, lost, connectTimeout(connection)]);
  return new DriverHiveSession(client, session, lost);
}

async function openDriverSession(
  client: InstanceType<typeof hiveDriver.HiveClient>,
  connection: Connection,
): Promise<DriverSession> {
  try {
    await client.connect(
      { host: connection.host, port: connection.port },
      new hiveDriver.connections.TcpConnection(),
      new hiveDriver.auth.PlainTcpAuthentication({
        username: connection.user || "qflow",
        password: connection.password || "-",
      }),
    );
    return await client.openSession({ client_protocol: types.TProtocolVersion.HIVE_CLI_SERVICE_PROTOCOL_V10 });
  } catch (error) {
    throw unavailable(connection, messageOf(error));
  }
}

async function connectTimeout(connection: Connection): Promise<never> {
  await sleep(CONNECT_TIMEOUT_MS, undefined, { ref: false });
  throw unavailable(connection, `no answer within ${CONNECT_TIMEOUT_MS / 1000} s`);
}

class DriverHiveSession implements HiveSession {
  readonly #client: InstanceType<typeof hiveDriver.HiveClient>;
  readonly #session: DriverSession;
  readonly #lost: Promise<never>;

  constructor(client: InstanceType<typeof hiveDriver.HiveClient>, session: DriverSession, lost: Promise<never>) {
    this.#client = client;
    this.#session = session;
    this.#lost = lost;
  }

  async execute(sql: string, options: StatementOptions): Promise<void> {
    const operation = await this.#run(sql, options);
    await this.#reach(operation.close());
  }

  async query(sql: string, options: StatementOptions & { maxRows: number }): Promise<HiveResult> {
    let columns: readonly HiveColumnInfo[] = [];
    const rows: HiveValue[][] = [];
    for await (const portion of this.stream(sql, options)) {
      columns = portion.columns;
      rows.push(...portion.rows);
      if (rows.length > options.maxRows) break;
    }
    return { columns, rows: rows.slice(0, options.maxRows), truncated: rows.length > options.maxRows };
  }

  async *stream(sql: string, options: StatementOptions): ReturnType<HiveSession["stream"]> {
    const operation = await this.#run(sql, options);
    try {
      operation.setMaxRows(FETCH_ROWS);
      let more = true;
      while (more) {
        options.signal?.throwIfAborted();
        operation.flush();
        await this.#reach(operation.fetch());
        const rows = (operation.getData() as unknown as WireRowSet[]).flatMap(rowsOf);
        yield { columns: columnsOf(operation.getSchema() as unknown as WireSchema | null), rows };
        more = rows.length > 0 && operation.hasMoreRows();
      }
    } finally {
      await this.#reach(operation.close()).catch(() => {});
    }
  }

  async close(): Promise<void> {
    await Promise.race([this.#reach(this.#session.close()), sleep(2_000, undefined, { ref: false })]).catch(() => {});
    this.#client.close();
  }

  /** Whatever is awaited ends when the connection does: the driver itself would wait for ever. */
  async #reach<T>(work: Promise<T>): Promise<T> {
    work.catch(() => {});
    try {
      return await Promise.race([work, this.#lost]);
    } catch (error) {
      throw error instanceof QflowError ? error : statementFailed(messageOf(error), undefined);
    }
  }

  async #run(sql: string, options: StatementOptions): Promise<Operation> {
    const deadline = Date.now() + options.timeoutMs;
    const operation = await this.#reach(this.#session.executeStatement(sql, { runAsync: true }));
    let pause = FIRST_POLL_MS;
    while (!(await this.#finished(operation))) {
      if (options.signal?.aborted || Date.now() > deadline) {
        await this.#reach(operation.cancel()).catch(() => {});
        await this.#reach(operation.close()).catch(() => {});
        options.signal?.throwIfAborted();
        throw new QflowError(
          "HIVE_TIMEOUT",
          `the statement took longer than ${options.timeoutMs / 1000} s and was cancelled`,
        );
      }
      await sleep(pause);
      pause = Math.min(LONGEST_POLL_MS, pause * 1.5);
    }
    return operation;
  }

  async #finished(operation: Operation): Promise<boolean> {
    const status = await this.#reach(operation.status(false));
    if (status.operationState === STATES.FINISHED_STATE) return true;
    if (!ENDED_BADLY.has(status.operationState)) return false;
    await this.#reach(operation.close()).catch(() => {});
    throw statementFailed(status.errorMessage ?? "the statement was cancelled", status.sqlState);
  }
}

/** Spark sends the names of the exceptions it went through, then what is wrong, then the stack. */
function statementFailed(message: string, sqlState: string | undefined): QflowError {
  const text = (message.split(/\n\s*at /)[0] ?? message).replace(/^.*(Exception|Error): /, "").trim();
  // Class 42 is syntax and unknown names, 22 is data that does not fit, 0A what Spark does not support.
  const code = /^(42|0A)/.test(sqlState ?? "") ? "HIVE_QUERY_INVALID" : "HIVE_FAILED";
  return new QflowError(code, text.slice(0, 2_000), { details: sqlState ? { sqlState } : {} });
}

function unavailable(connection: Connection, why: string): QflowError {
  return new QflowError(
    "HIVE_UNAVAILABLE",
    `HiveServer2 at ${connection.host}:${connection.port} does not answer: ${why}`,
  );
}
