/** The Spark Thrift Server: Hive's SQL endpoint over the lake. */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { INSTANCE_MARKER } from "../processes/markers.ts";
import { requireFreePort } from "../processes/ports.ts";
import { type OnStarted, untilReady } from "./engine.ts";
import { hiveAnswers } from "./hive-health.ts";
import type { Installation } from "./install.ts";
import { type EngineProcess, startProcess } from "./process.ts";

const READY_TIMEOUT_MS = 240_000;

/** How the server is laid out. */
export interface HiveServerOptions {
  /** Is told of the process before it is ready. */
  readonly onStarted?: OnStarted;
  readonly installation: Installation;
  readonly confDir: string;
  readonly port: number;
  readonly logFile: string;
  readonly instance: string;
  /** Path, locale and the like. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Environment for everything that runs Spark: the Thrift Server here, drivers in the workers. */
export function sparkEnvironment(installation: Installation, confDir: string): Record<string, string> {
  return {
    JAVA_HOME: installation.javaHome,
    SPARK_HOME: installation.sparkHome,
    SPARK_CONF_DIR: confDir,
    SPARK_LOCAL_IP: "127.0.0.1",
    PYSPARK_PYTHON: installation.python,
    PYSPARK_DRIVER_PYTHON: installation.python,
    TZ: "UTC",
  };
}

/** Starts the server; resolves when a session answers a query. Throws PORT_TAKEN or ENGINE_FAILED. */
export async function startHiveServer(options: HiveServerOptions): Promise<EngineProcess> {
  await requireFreePort(options.port, "the Spark Thrift Server");
  await mkdir(dirname(options.logFile), { recursive: true });
  const running = await startProcess({
    name: "the Spark Thrift Server",
    command: join(options.installation.sparkHome, "bin/spark-submit"),
    args: serverArguments(options.port),
    env: {
      ...options.environment,
      ...sparkEnvironment(options.installation, options.confDir),
      [INSTANCE_MARKER]: options.instance,
    },
    // Hive drops a derby.log and the like into its working folder.
    cwd: join(options.confDir, "local"),
    logFile: options.logFile,
    stopSignals: [{ signal: "SIGTERM", patienceMs: 10_000 }],
  });
  options.onStarted?.(running);
  await untilReady(running, () => hiveAnswers(options.port), {
    title: "the Spark Thrift Server",
    timeoutMs: READY_TIMEOUT_MS,
    pollMs: 250,
    logFile: options.logFile,
  });
  return running;
}

function serverArguments(port: number): string[] {
  const settings = {
    "hive.server2.thrift.port": String(port),
    "hive.server2.thrift.bind.host": "127.0.0.1",
    "hive.server2.transport.mode": "binary",
    "hive.server2.authentication": "NONE",
    "hive.server2.enable.doAs": "false",
    "hive.server2.thrift.min.worker.threads": "2",
  };
  const hive = Object.entries(settings).flatMap(([name, value]) => ["--hiveconf", `${name}=${value}`]);
  const submit = ["--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", "--name", "qflow-hive"];
  return [...submit, "--driver-memory", "1g", "spark-internal", ...hive];
}
