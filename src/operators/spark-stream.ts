/** `sparkStream`: a PySpark application with a streaming query, in a driver of its own. */
import { z } from "zod";
import { defineProgram } from "../dag/define-operator.ts";

/** Config of {@link sparkStream}. */
export const sparkStreamSchema = z.strictObject({
  /** The application (a `.py` file), absolute or relative to the folder that holds the DAGs folder. */
  application: z.string().min(1),
  /** Arguments. Anything but a string is passed as JSON. */
  args: z.array(z.json()).default([]),
  /** Spark settings. */
  conf: z.record(z.string(), z.string()).default({}),
  /**
   * Connection of a Kafka cluster: the application finds its brokers, `host:port` with commas between them, in QFLOW_KAFKA_SERVERS, and
   * the settings of Kafka's Java client, login and certificates included, as JSON in the file that QFLOW_KAFKA_CONFIG names.
   */
  kafka: z.string().min(1).optional(),
  /** Jars the driver needs beside those of the installation: files, absolute or relative like the application. */
  jars: z.array(z.string().min(1)).default([]),
  /** Maven coordinates `group:artifact:version` that spark-submit fetches; for machines that reach a repository. */
  packages: z.array(z.string().regex(/^[^\s:,]+:[^\s:,]+:[^\s:,]+$/, "write group:artifact:version")).default([]),
});

/** {@link sparkStreamSchema} once checked. */
export type SparkStreamConfig = z.output<typeof sparkStreamSchema>;

/** A Spark streaming application for `service()`. See docs/services.md. */
export const sparkStream = defineProgram("spark_stream", sparkStreamSchema);
