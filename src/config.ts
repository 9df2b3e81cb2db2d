/** Every setting, parsed and checked once. Nothing else reads `process.env`. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Connection } from "./dag/operator.ts";
import { QflowError } from "./errors.ts";

/** Where the Spark of this installation is, as handed to workers by the command line. */
const sparkSchema = z.object({
  /** SPARK_HOME: the installed pyspark package. */
  home: z.string(),
  /** Interpreter for the driver and PySpark. */
  python: z.string(),
  /** SPARK_CONF_DIR with spark-defaults.conf and hive-site.xml. */
  confDir: z.string(),
  javaHome: z.string().nullable(),
});

const schema = z.object({
  home: z.string(),
  cacheDir: z.string(),
  databaseUrl: z.string().nullable(),
  host: z.string(),
  port: z.number().int().min(0).max(65535),
  dagsDir: z.string(),
  /** Where the lake is: an absolute folder, or `hdfs://host:port/folder` without a slash at the end. */
  lakeDir: z.string(),
  reportsDir: z.string(),
  feedDir: z.string().nullable(),
  /** Seconds between generated batches in `npm start`. */
  feedEverySeconds: z.number().positive(),
  /** IANA zone of the platform's batch hours and days. */
  timezone: z.string(),
  /** Seconds after which a batch that lacks a file is loaded with what it has. */
  batchGraceSeconds: z.number().min(0),
  runners: z.number().int().min(1),
  /** Queues that a worker serves. */
  queues: z.array(z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/)).min(1),
  /** How long a worker that is told to stop waits for what runs. */
  drainSeconds: z.number().min(0),
  spark: sparkSchema.nullable(),
  /** Configuration of the Hadoop cluster that applications are submitted to. */
  hadoopConfDir: z.string().nullable(),
  /** Most warm Spark drivers of a worker at once (0 = every application gets its own), and the seconds after which an idle one is stopped. */
  sparkDrivers: z.number().int().min(0),
  sparkIdleSeconds: z.number().positive(),
  /** Whether the first warm driver is started with the worker or with the first application. */
  sparkStart: z.enum(["eager", "lazy"]),
  /** Where Spark's OpenLineage listener posts, and the token it uses. */
  lineage: z.object({ url: z.string(), token: z.string() }).nullable(),
  connections: z.record(z.string(), z.custom<Connection>()),
  /** Variables of the environment by key in lower case; they win over those of the database. */
  variables: z.record(z.string(), z.string()),
  /** Keys that connections and variables are sealed with, the one that seals first; beside those of the home's key file. */
  secretKeys: z.array(z.string()),
  /** How long what is kept: durations such as "P90D", or "off". */
  retention: z.object({ runs: z.string(), audit: z.string(), lineage: z.string() }),
  /** What child processes inherit of the environment: an allow-list, and the markers by which they are found again. */
  environment: z.record(z.string(), z.string()),
  /** The same for the programs that download engines, with proxies and package indexes. */
  downloadEnvironment: z.record(z.string(), z.string()),
});

/** The checked settings of one process. */
export type Config = z.infer<typeof schema>;

/** Reads the settings from an environment. Throws CONFIG_INVALID naming the setting. */
export function loadConfig(environment: Record<string, string | undefined>): Config {
  const env = withoutEmpty(environment);
  const home = resolve(env.QFLOW_HOME ?? ".qflow");
  const raw = {
    home,
    cacheDir: resolve(env.QFLOW_CACHE ?? `${env.HOME ?? "."}/.cache/qflow`),
    databaseUrl: env.QFLOW_DATABASE_URL ?? null,
    host: env.QFLOW_HOST ?? "127.0.0.1",
    port: numberFrom(env.QFLOW_PORT, 8080),
    dagsDir: resolve(env.QFLOW_DAGS ?? "dags"),
    lakeDir: lakeFrom(env.QFLOW_LAKE ?? rememberedLake(home) ?? `${home}/lake`),
    reportsDir: resolve(env.QFLOW_REPORTS ?? `${home}/reports`),
    feedDir: env.QFLOW_FEED_DIR ? resolve(env.QFLOW_FEED_DIR) : null,
    feedEverySeconds: numberFrom(env.QFLOW_FEED_EVERY, 600),
    timezone: env.QFLOW_TIMEZONE ?? "Africa/Cairo",
    batchGraceSeconds: numberFrom(env.QFLOW_BATCH_GRACE, 30),
    runners: numberFrom(env.QFLOW_RUNNERS, 4),
    queues: (env.QFLOW_QUEUES ?? "default").split(",").map((name) => name.trim()),
    drainSeconds: numberFrom(env.QFLOW_DRAIN, 60),
    spark: sparkFrom(env),
    hadoopConfDir: env.QFLOW_HADOOP_CONF_DIR ?? null,
    sparkDrivers: numberFrom(env.QFLOW_SPARK_DRIVERS, 1),
    sparkIdleSeconds: numberFrom(env.QFLOW_SPARK_IDLE, 1800),
    sparkStart: env.QFLOW_SPARK_START ?? "lazy",
    lineage: env.QFLOW_LINEAGE_URL ? { url: env.QFLOW_LINEAGE_URL, token: env.QFLOW_LINEAGE_TOKEN ?? "" } : null,
    connections: connectionsFrom(env),
    variables: variablesFrom(env),
    retention: {
      runs: env.QFLOW_RETENTION_RUNS ?? "P90D",
      audit: env.QFLOW_RETENTION_AUDIT ?? "P365D",
      lineage: env.QFLOW_RETENTION_LINEAGE ?? "P30D",
    },
    secretKeys: (env.QFLOW_SECRET_KEYS ?? "").split(",").flatMap((key) => key.trim() || []),
    environment: inheritedFrom(env),
    downloadEnvironment: forDownloadsFrom(env),
  };
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const first = parsed.error.issues[0];
  throw new QflowError("CONFIG_INVALID", `setting ${first?.path.join(".")}: ${first?.message}`);
}

/** What is set to nothing is not set. A variable may be empty: that is its value. */
function withoutEmpty(env: Record<string, string | undefined>): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(env).filter(([name, value]) => value !== "" || name.startsWith(VARIABLE_PREFIX)),
  );
}

/** The file in which a home keeps where its lake is: what was made with one lake is not found in another. */
export function lakeFile(home: string): string {
  return join(home, "lake.location");
}

function rememberedLake(home: string): string | undefined {
  return existsSync(lakeFile(home)) ? readFileSync(lakeFile(home), "utf8").trim() || undefined : undefined;
}

/** A folder of HDFS stays as it is, apart from slashes at its end; anything else is a local folder, also as a `file:` URL. */
function lakeFrom(location: string): string {
  if (location.startsWith("hdfs://")) return location.replace(/\/+$/, "");
  return resolve(location.startsWith("file:") ? fileURLToPath(location) : location);
}

function numberFrom(text: string | undefined, fallback: number): number {
  return text === undefined ? fallback : Number(text);
}

function sparkFrom(env: Record<string, string | undefined>): unknown {
  if (!env.QFLOW_SPARK_HOME) return null;
  return {
    home: env.QFLOW_SPARK_HOME,
    python: env.QFLOW_SPARK_PYTHON,
    confDir: env.QFLOW_SPARK_CONF_DIR,
    javaHome: env.JAVA_HOME ?? null,
  };
}

/** Where programs, locale and certificates are; nothing that could hold a password. */
const INHERITED =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_.+|TZ|TMPDIR|JAVA_HOME|SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|QFLOW_INSTANCE|QFLOW_WORKER)$/;

function inheritedFrom(env: Record<string, string | undefined>): Record<string, string> {
  const entries = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries.filter(([name]) => INHERITED.test(name)));
}

/** Proxies and package indexes, which may hold passwords: for the programs that download engines and nobody else. */
const FOR_DOWNLOADS = /^(PIP_.+|(HTTPS?|ALL|NO)_PROXY|REQUESTS_CA_BUNDLE|JAVA_TOOL_OPTIONS)$/i;

function forDownloadsFrom(env: Record<string, string | undefined>): Record<string, string> {
  const entries = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...inheritedFrom(env), ...Object.fromEntries(entries.filter(([name]) => FOR_DOWNLOADS.test(name))) };
}

const CONNECTION_PREFIX = "QFLOW_CONN_";

/** `QFLOW_CONN_FTP_Q=ftp://user:password@host:21/path?secure=true` is the connection `ftp_q`. */
function connectionsFrom(env: Record<string, string | undefined>): Record<string, Connection> {
  const connections: Record<string, Connection> = {};
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(CONNECTION_PREFIX) || !value) continue;
    const id = name.slice(CONNECTION_PREFIX.length).toLowerCase();
    connections[id] = parseConnectionUrl(id, `setting ${name}`, value);
  }
  return connections;
}

/** The connection that a URL describes. Throws CONFIG_INVALID, which names `where` and never shows the URL. */
export function parseConnectionUrl(id: string, where: string, text: string): Connection {
  if (!URL.canParse(text)) throw new QflowError("CONFIG_INVALID", `${where}: not a URL`);
  const url = new URL(text);
  try {
    return {
      id,
      kind: url.protocol.slice(0, -1),
      host: url.hostname,
      port: Number(url.port) || 0,
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      path: decodeURIComponent(url.pathname),
      options: Object.fromEntries(url.searchParams),
    };
  } catch {
    throw new QflowError("CONFIG_INVALID", `${where}: a percent sign in it is no escape; write it as %25`);
  }
}

const VARIABLE_PREFIX = "QFLOW_VAR_";

/** `QFLOW_VAR_REGION=eu` is the variable `region`. */
function variablesFrom(env: Record<string, string | undefined>): Record<string, string> {
  const found = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[0].startsWith(VARIABLE_PREFIX) && entry[1] !== undefined,
  );
  return Object.fromEntries(found.map(([name, value]) => [name.slice(VARIABLE_PREFIX.length).toLowerCase(), value]));
}
