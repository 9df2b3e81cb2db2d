/** What to execute for `sparkStream`. */
import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Connection } from "../dag/operator.ts";
import { QflowError } from "../errors.ts";
import { kafkaAddress } from "./clients/kafka.ts";
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
    env: config.kafka === undefined ? {} : { QFLOW_KAFKA_SERVERS: brokersOf(context.connection(config.kafka)) },
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

function brokersOf(connection: Connection): string {
  const { brokers, login, tls } = kafkaAddress(connection, "qflow");
  if (login !== null || tls === "on") {
    throw new QflowError(
      "CONFIG_INVALID",
      `connection ${connection.id}: applications get no login and no certificates`,
      {
        remedy: "Set the options of Spark's Kafka source in the application, with a password of its own.",
      },
    );
  }
  return brokers.join(",");
}
