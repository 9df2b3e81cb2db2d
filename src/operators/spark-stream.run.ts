/** What to execute for `sparkStream`. */
import { mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Connection } from "../dag/operator.ts";
import { QflowError } from "../errors.ts";
import { javaClientSettings, kafkaAddress } from "./clients/kafka.ts";
import type { PrepareProgram } from "./program-command.ts";
import { prepareDriver } from "./spark/launch.ts";
import type { SparkStreamConfig } from "./spark-stream.ts";

/** Writes the driver's settings. Throws SPARK_FAILED when there is no such application, SPARK_MISSING. */
export const prepare: PrepareProgram<SparkStreamConfig> = async (config, context) => {
  const base = dirname(context.config.dagsDir);
  const application = resolve(base, config.application);
  if (!(await stat(application).catch(() => null))?.isFile()) {
    throw new QflowError("SPARK_FAILED", `there is no application ${application}`, {
      remedy: "Correct the path of the application.",
    });
  }
  const jars = config.jars.map((jar) => resolve(base, jar));
  const driver = await prepareDriver({
    config: context.config,
    name: context.name,
    application,
    args: config.args.map((value) => (typeof value === "string" ? value : JSON.stringify(value))),
    conf: {
      ...(jars.length === 0 ? {} : { "spark.jars": jars.join(",") }),
      ...(config.packages.length === 0 ? {} : { "spark.jars.packages": config.packages.join(",") }),
      ...config.conf,
    },
    env: config.kafka === undefined ? {} : await kafkaEnvironment(context.connection(config.kafka), context.folder),
    folder: context.folder,
  });
  return {
    file: driver.command,
    args: driver.args,
    env: driver.env,
    cwd: context.folder,
    // The JVM would end at once, in the middle of a batch.
    drainSignal: null,
    sources: [application],
  };
};

/** Tells the application where its cluster is, and as whom: in a private file, because arguments and environments are shown to others. */
async function kafkaEnvironment(connection: Connection, folder: string): Promise<Record<string, string>> {
  const settings = javaClientSettings(kafkaAddress(connection, "qflow"));
  const file = join(folder, "kafka.json");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(file, JSON.stringify(settings), { mode: 0o600 });
  return { QFLOW_KAFKA_SERVERS: settings["bootstrap.servers"] ?? "", QFLOW_KAFKA_CONFIG: file };
}
