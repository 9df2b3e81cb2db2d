/**
 * Every error code of qflow, what class of retry it belongs to, and the process exit code it maps to.
 * An error shown to a person is always: code, one sentence, what to do.
 */

/** How the engine treats a failure: `retryable` counts as a try, `infra` does not, `fatal` never retries. */
export type RetryClass = "retryable" | "fatal" | "infra";

interface CodeEntry {
  readonly retry: RetryClass;
  /** What the reader can do about it; a default that a thrown error may sharpen. */
  readonly remedy: string;
}

/** The closed table of codes. One line a code, grouped by room; add here, nowhere else. */
export const ERROR_CODES = {
  // usage and configuration
  USAGE: { retry: "fatal", remedy: "Run the command with --help." },
  CONFIG_INVALID: { retry: "fatal", remedy: "Correct the named setting." },
  // machine and engines
  PREREQUISITE_MISSING: { retry: "fatal", remedy: "Install what is named, then run the command again." },
  PORT_TAKEN: { retry: "fatal", remedy: "End the program that listens on the port named." },
  HOME_IN_USE: {
    retry: "fatal",
    remedy: "Stop the qflow that runs for this QFLOW_HOME, or choose another QFLOW_HOME.",
  },
  ENGINE_FAILED: { retry: "infra", remedy: "Read the engine's log." },
  DOWNLOAD_FAILED: { retry: "infra", remedy: "Check the network and run the command again: what is complete is kept." },
  // dag authoring
  DAG_INVALID: { retry: "fatal", remedy: "Correct the DAG file at the place named." },
  DAG_LOAD_FAILED: { retry: "fatal", remedy: "Correct the DAG file: it is evaluated with a limit of time and memory." },
  DAG_NOT_DETERMINISTIC: {
    retry: "fatal",
    remedy: "Declare the same DAG on every load: no clock, chance or outside state.",
  },
  DAG_DUPLICATE: { retry: "fatal", remedy: "Give one of the two another id." },
  PARAMS_INVALID: { retry: "fatal", remedy: "Correct the run's params: the DAG's page shows what it takes." },
  REFERENCE_UNRESOLVED: { retry: "fatal", remedy: "Check the run's params and what the upstream task returned." },
  // execution
  TASK_FAILED: { retry: "retryable", remedy: "Read the task's log." },
  SENSOR_TIMEOUT: {
    retry: "fatal",
    remedy: "Find out why what it waits for did not come; then clear the task, or raise its timeout.",
  },
  SENSOR_FAILED: {
    retry: "fatal",
    remedy: "What it waits for cannot come any more; correct that, then clear the task.",
  },
  APPROVAL_REJECTED: { retry: "fatal", remedy: "Ask who rejected it; clear the task to ask again." },
  TASK_TIMEOUT: { retry: "retryable", remedy: "Raise the task's timeout, or find what it waits for in its log." },
  FENCED: { retry: "infra", remedy: "Nothing: another attempt owns this task now." },
  TASK_CANCELLED: { retry: "fatal", remedy: "Clear the task to run it again." },
  TASK_KILLED: {
    retry: "infra",
    remedy: "Read the end of the task's log; when memory ran out, give the task less data or the machine more.",
  },
  TASK_EXITED: { retry: "retryable", remedy: "Return from the task, or throw: do not end its process." },
  RESULT_NOT_JSON: {
    retry: "fatal",
    remedy: "Return plain objects, arrays, strings, finite numbers, booleans and null.",
  },
  EVENT_INVALID: { retry: "fatal", remedy: "Write a partition as text of 1 to 250 characters, e.g. 2026-11-22." },
  INPUT_TOO_LARGE: {
    retry: "fatal",
    remedy: "Write large results to files or tables, and return where they are.",
  },
  BRANCH_INVALID: { retry: "fatal", remedy: "Return one name, or an array of names, of the branch's targets." },
  CONNECTION_UNKNOWN: { retry: "fatal", remedy: "Make it with `qflow connections set`, or set QFLOW_CONN_<ID>." },
  VARIABLE_UNKNOWN: { retry: "fatal", remedy: "Make it with `qflow variables set`, or set QFLOW_VAR_<KEY>." },
  SECRET_UNREADABLE: {
    retry: "fatal",
    remedy: "Give this machine the key: QFLOW_SECRET_KEYS, or secret-keys.json of the QFLOW_HOME that sealed it.",
  },
  RESULT_SECRET: {
    retry: "fatal",
    remedy: "Return the id of the connection, and ask for it with ctx.connection() where it is used.",
  },
  RESULT_TOO_LARGE: { retry: "fatal", remedy: "Write the data to a file or a table, and return its name." },
  OPERATOR_UNKNOWN: { retry: "fatal", remedy: "Use an operator of this qflow, or upgrade the worker." },
  // operators
  OPERATOR_CONFIG: { retry: "fatal", remedy: "Correct the config of the task's operator." },
  FTP_UNAVAILABLE: { retry: "retryable", remedy: "Check that the FTP server is up and the connection's URL is right." },
  FTP_DENIED: { retry: "retryable", remedy: "Check the connection's user and the rights of the file or folder named." },
  FTP_UNSTABLE: {
    retry: "retryable",
    remedy: "Nothing: the file is still being written and is taken when it stands still.",
  },
  FTP_CHANGED: { retry: "retryable", remedy: "Nothing: the file changed while it was read and is fetched again." },
  LAKE_UNAVAILABLE: { retry: "retryable", remedy: "Check that HDFS is up: `qflow engines status`." },
  LAKE_DENIED: { retry: "retryable", remedy: "Check the rights of the user on the file or folder named." },
  LAKE_FULL: { retry: "retryable", remedy: "Make room where the lake is, or raise its quota." },
  LAKE_FAILED: { retry: "retryable", remedy: "Read the message: the file system of the lake refused." },
  FILE_NOT_FOUND: { retry: "retryable", remedy: "Check the path, and who could have removed the file." },
  FILE_EXISTS: { retry: "fatal", remedy: "Choose another name: files are never replaced by accident." },
  FILE_NAME_REFUSED: { retry: "fatal", remedy: "Use a relative path without empty parts, `.` and `..`." },
  LOAD_UNBALANCED: { retry: "fatal", remedy: "Correct the job: every row read is loaded, a duplicate or quarantined." },
  LOAD_INCOMPLETE: { retry: "fatal", remedy: "Let the job report counts for every file it was given." },
  SPARK_MISSING: { retry: "fatal", remedy: "Run `qflow engines install`, or set QFLOW_SPARK_HOME." },
  SPARK_FAILED: { retry: "retryable", remedy: "Read the task's log: it holds the driver's output." },
  SPARK_NOT_GONE: { retry: "infra", remedy: "End the processes named: an earlier application still runs." },
  YARN_UNAVAILABLE: {
    retry: "infra",
    remedy: "Check that the ResourceManager of the connection yarn_default runs: `qflow engines status`.",
  },
  LINEAGE_MISSING: {
    retry: "retryable",
    remedy: "Check that the API receives OpenLineage events at QFLOW_LINEAGE_URL.",
  },
  SHELL_NOT_STARTED: { retry: "fatal", remedy: "Check the command, the worker's PATH and the folder." },
  SHELL_FAILED: { retry: "retryable", remedy: "Read the task's log: it holds what the program printed." },
  SHELL_REFUSED: { retry: "fatal", remedy: "Read the task's log: this exit code means that trying again is no use." },
  SHELL_KILLED: {
    retry: "retryable",
    remedy: "When memory ran out, give the program less data or the machine more.",
  },
  SHELL_OUTPUT: { retry: "fatal", remedy: "Correct what the program prints, or how it is read (output, maxBytes)." },
  SERVICE_NOT_STARTED: { retry: "fatal", remedy: "Check the command, the worker's PATH and the folder." },
  SERVICE_ENDED: { retry: "retryable", remedy: "Read the end of its log: `qflow services logs`." },
  SERVICE_UNHEALTHY: {
    retry: "retryable",
    remedy: "Read its log for what it hangs at, or raise its startTimeout or healthTimeout.",
  },
  SQL_UNAVAILABLE: { retry: "retryable", remedy: "Check that the server is up and the connection is right." },
  SQL_INVALID: { retry: "fatal", remedy: "Correct the statement, its parameters or the rights of the user." },
  SQL_FAILED: { retry: "retryable", remedy: "Read the message: the statements were rolled back." },
  SQL_TIMEOUT: { retry: "retryable", remedy: "Raise the limit, or ask for less; the statements were rolled back." },
  HTTP_UNREACHABLE: { retry: "retryable", remedy: "Check the address, and that the server is up." },
  HTTP_TIMEOUT: { retry: "retryable", remedy: "Check the server, or raise the request's timeout." },
  HTTP_UNAVAILABLE: { retry: "retryable", remedy: "Check the server: it says that it cannot answer now." },
  HTTP_RATE_LIMITED: { retry: "retryable", remedy: "Ask less often, or let the task wait longer (rateLimitSeconds)." },
  HTTP_REFUSED: { retry: "fatal", remedy: "Correct the request: the server does not take it." },
  HTTP_REDIRECT: { retry: "fatal", remedy: "Name the address that the server redirects to." },
  HTTP_TOO_LARGE: { retry: "fatal", remedy: "Ask for less, or raise maxBytes." },
  HTTP_NOT_JSON: { retry: "fatal", remedy: 'Correct the address, or ask for text (response: "text").' },
  KAFKA_UNAVAILABLE: {
    retry: "retryable",
    remedy: "Check that the broker is up and the connection names its host and port.",
  },
  KAFKA_DENIED: {
    retry: "fatal",
    remedy: "Correct the connection's user, password or mechanism, or the rights of the user.",
  },
  KAFKA_TOPIC_MISSING: { retry: "retryable", remedy: "Make the topic, or correct its name." },
  KAFKA_OFFSET_GONE: {
    retry: "fatal",
    remedy: "Messages were removed before they were read: say where to go on (onGap), or restore them.",
  },
  KAFKA_TOO_LARGE: { retry: "fatal", remedy: "Send less in one message, or raise the topic's max.message.bytes." },
  KAFKA_FENCED: { retry: "retryable", remedy: "Nothing: another attempt sends under this transactional id now." },
  KAFKA_FAILED: { retry: "retryable", remedy: "Read the message: the broker or the client refused." },
  HIVE_UNAVAILABLE: {
    retry: "retryable",
    remedy: "Check that the HiveServer2 endpoint is up: `qflow engines status`.",
  },
  HIVE_QUERY_INVALID: { retry: "fatal", remedy: "Correct the statement." },
  HIVE_FAILED: { retry: "retryable", remedy: "Read the message: the statement failed while it ran." },
  HIVE_TIMEOUT: { retry: "retryable", remedy: "Raise the limit, or ask for less." },
  DDL_REFUSED: {
    retry: "fatal",
    remedy: "Migrate the table by hand, or correct the desired state: nothing that loses data is done.",
  },
  REPORT_INVALID: { retry: "fatal", remedy: "Correct the report's query or its table." },
  // notifications
  NOTIFICATION_FAILED: { retry: "retryable", remedy: "Check that the channel's server is up; it is tried again." },
  NOTIFICATION_REFUSED: {
    retry: "fatal",
    remedy: "Correct the connection that is the channel, then `qflow notifications retry`.",
  },
  // database
  DATABASE_UNAVAILABLE: { retry: "infra", remedy: "Check that PostgreSQL is up; qflow reconnects by itself." },
  SCHEMA_NEWER: { retry: "fatal", remedy: "Start the newer qflow on this database, or use another one." },
  SCHEMA_OLDER: { retry: "fatal", remedy: "Run `qflow db migrate`." },
  NOT_FOUND: { retry: "fatal", remedy: "List what there is, and correct the name." },
  CONFLICT: { retry: "fatal", remedy: "Look at the present state, then decide again." },
  WORKER_ENDED: { retry: "infra", remedy: "Nothing: the worker registers a new session." },
  // api
  UNAUTHENTICATED: { retry: "fatal", remedy: "Log in with a fresh link, or send a token as Bearer." },
  LOGIN_LINK_INVALID: {
    retry: "fatal",
    remedy: "Make a new link with `qflow login`; each works once, for 15 minutes.",
  },
  FORBIDDEN: { retry: "fatal", remedy: "Ask somebody whose role allows it." },
  REQUEST_INVALID: { retry: "fatal", remedy: "Correct the request: /api/openapi.json says what it takes." },
  REQUEST_TOO_LARGE: { retry: "fatal", remedy: "Send less at once." },
  NOT_SUPPORTED: { retry: "fatal", remedy: "Use what /api/openapi.json lists." },
  SQL_NOT_READ_ONLY: {
    retry: "fatal",
    remedy: "Ask with SELECT, WITH, SHOW, DESCRIBE or EXPLAIN; tables are written by DAGs.",
  },
  // anything that is a defect of qflow
  INTERNAL: { retry: "retryable", remedy: "Report this with the log." },
} as const satisfies Record<string, CodeEntry>;

/** A code of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** The only error class qflow throws on purpose. */
export class QflowError extends Error {
  override readonly name = "QflowError";
  readonly code: ErrorCode;
  /** What the reader can do about it. */
  readonly remedy: string;
  /** Facts for machines: file, line, setting, port … Never a secret. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { remedy?: string; details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy ?? ERROR_CODES[code].remedy;
    this.details = options.details ?? {};
  }

  /** Whether and how the engine may try again. */
  get retry(): RetryClass {
    return ERROR_CODES[this.code].retry;
  }
}

/** The message of anything that was thrown: clients of some servers throw errors that are no `Error`. */
export function messageOf(error: unknown): string {
  const message = typeof error === "object" && error !== null && "message" in error ? error.message : undefined;
  return typeof message === "string" ? message : String(error);
}
