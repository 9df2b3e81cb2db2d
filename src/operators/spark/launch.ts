/** How a Spark driver is started: a real `spark-submit`, its settings in a private file, its environment built from nothing. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../../config.ts";
import { messageOf, QflowError } from "../../errors.ts";
import { freePort } from "../../processes/ports.ts";
import { identify, type ProcessIdentity } from "../../processes/table.ts";

/** What to start. */
export interface LaunchSpec {
  readonly config: Config;
  /** Spark's application name. */
  readonly name: string;
  readonly kind: "own" | "warm";
  readonly application: string;
  readonly args: readonly string[];
  readonly conf: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** Private folder of the driver: settings file and working folder. */
  readonly folder: string;
  /** Every line the driver prints, on either stream. */
  line(stream: "stdout" | "stderr", text: string): void;
}

/** A started driver. */
export interface Launched {
  readonly identity: ProcessIdentity;
  /** Where its status API is, without a slash at the end. */
  readonly ui: string;
  /** Resolves when it is gone and all it printed was given to `line`. Never rejects. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** What to execute for a driver. */
export interface DriverCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where its status API will be, without a slash at the end. */
  readonly ui: string;
}

/** Writes the settings of a driver into its folder and says what to execute there. Throws SPARK_MISSING where no Spark is set up. */
export async function prepareDriver(spec: Omit<LaunchSpec, "line" | "kind">): Promise<DriverCommand> {
  const spark = sparkOf(spec.config);
  const port = await freePort();
  const properties = join(spec.folder, "spark.properties");
  await mkdir(spec.folder, { recursive: true, mode: 0o700 });
  // In a file, because every user of the machine can read the arguments of a process, and some settings are secrets.
  await writeFile(properties, propertiesText({ ...driverProperties(spec, port), ...spec.conf }), { mode: 0o600 });
  return {
    command: join(spark.home, "bin/spark-submit"),
    args: ["--load-spark-defaults", "--properties-file", properties, spec.application, ...spec.args],
    env: environment(spec),
    ui: `http://127.0.0.1:${port}`,
  };
}

/** Starts a driver. Throws SPARK_MISSING where no Spark is set up, SPARK_FAILED when it cannot be started at all. */
export async function launch(spec: LaunchSpec): Promise<Launched> {
  const { command, args, env, ui } = await prepareDriver(spec);
  const child = spawn(command, args, {
    cwd: spec.folder,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = endOf(child, spec);
  const identity = child.pid === undefined ? null : await identify(child.pid);
  if (identity === null)
    throw new QflowError("SPARK_FAILED", `${command} did not start`, { details: { ...(await ended) } });
  await countStart(spec, identity.pid);
  return { identity, ui, ended };
}

/** Where Spark is. Throws SPARK_MISSING. */
function sparkOf(config: Config): NonNullable<Config["spark"]> {
  if (config.spark === null) throw new QflowError("SPARK_MISSING", "this worker knows no Spark");
  return config.spark;
}

function driverProperties(spec: Pick<LaunchSpec, "name">, port: number): Record<string, string> {
  return {
    "spark.app.name": spec.name,
    "spark.master": "local[*]",
    "spark.ui.enabled": "true",
    "spark.ui.port": String(port),
    "spark.ui.showConsoleProgress": "false",
    "spark.ui.retainedJobs": "100",
    "spark.ui.retainedStages": "200",
    "spark.sql.ui.retainedExecutions": "50",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
  };
}

/** Java's properties format: everything that could end or continue a line is escaped. */
function propertiesText(properties: Readonly<Record<string, string>>): string {
  const escaped = (text: string) =>
    text.replace(/[\\:=#! \t\n\r\f]|[^\x20-\x7e]/g, (character) =>
      /[\\:=#! ]/.test(character) ? `\\${character}` : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  return Object.entries(properties)
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}\n`)
    .join("");
}

function environment(spec: Pick<LaunchSpec, "config" | "env">): Record<string, string> {
  const spark = sparkOf(spec.config);
  return {
    ...spec.config.environment,
    SPARK_HOME: spark.home,
    SPARK_CONF_DIR: spark.confDir,
    SPARK_LOCAL_IP: "127.0.0.1",
    PYSPARK_PYTHON: spark.python,
    PYSPARK_DRIVER_PYTHON: spark.python,
    TZ: "UTC",
    PYTHONUNBUFFERED: "1",
    PYTHONDONTWRITEBYTECODE: "1",
    PYTHONIOENCODING: "utf-8:backslashreplace",
    ...(spark.javaHome === null ? {} : { JAVA_HOME: spark.javaHome }),
    ...spec.env,
  };
}

const OUTPUT_GRACE_MS = 2_000;

/** Said by every JVM that Spark starts, and of no use to anybody. */
export const NOISE = /^WARNING: Using incubator modules: jdk\.incubator\.vector$/;

async function endOf(child: ChildProcess, spec: LaunchSpec) {
  const streams = [readLines(child.stdout, "stdout", spec), readLines(child.stderr, "stderr", spec)];
  const exit = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((settle) => {
    child.once("error", (error) => {
      spec.line("stderr", messageOf(error));
      settle({ code: null, signal: null });
    });
    child.once("exit", (code, signal) => settle({ code, signal }));
  });
  // A stray grandchild may hold the streams open.
  await Promise.race([Promise.all(streams), sleep(OUTPUT_GRACE_MS, undefined, { ref: false })]);
  child.stdout?.destroy();
  child.stderr?.destroy();
  return exit;
}

async function readLines(stream: Readable | null, name: "stdout" | "stderr", spec: LaunchSpec): Promise<void> {
  if (stream === null) return;
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on("line", (line) => {
    if (!NOISE.test(line)) spec.line(name, line);
  });
  await once(lines, "close");
}

/** One line for every Spark start-up, in `<home>/log/spark-starts.jsonl`: what warm sessions save is counted, not guessed. */
async function countStart(spec: LaunchSpec, pid: number): Promise<void> {
  const folder = join(spec.config.home, "log");
  await mkdir(folder, { recursive: true });
  const line = JSON.stringify({ at: new Date().toISOString(), kind: spec.kind, name: spec.name, pid });
  await appendFile(join(folder, "spark-starts.jsonl"), `${line}\n`);
}
