/** `sparkSubmit`: runs a PySpark application, in a driver of its own or in a warm one. */
import { z } from "zod";
import { defineOperator } from "../dag/define-operator.ts";
import type { Operator } from "../dag/operator.ts";
import type { TemplatedConfig } from "../dag/refs.ts";
import type { Json } from "../dag/spec.ts";

const json: z.ZodType<Json> = z.json();

const fields = z.strictObject({
  /** The application (a `.py` file), absolute or relative to the folder that holds the DAGs folder. */
  application: z.string().min(1),
  /** Arguments. Anything but a string is passed as JSON. */
  args: z.array(json).default([]),
  /** `own` = a `spark-submit` for this attempt alone; `warm` = a long-lived driver, one application at a time. */
  session: z.enum(["own", "warm"]).default("own"),
  /** Where it runs: on the worker's machine, or on YARN. */
  master: z.enum(["local", "yarn"]).default("local"),
  /** Where the driver runs: `client` = beside the worker, `cluster` = on YARN, where it outlives the worker. */
  deployMode: z.enum(["client", "cluster"]).default("client"),
  /** Spark settings. In a warm session only those that may change at run time have an effect. */
  conf: z.record(z.string(), z.string()).default({}),
  /** Any JSON for the application, in the file that the environment variable QFLOW_INPUT names. For what is too large for `args`. */
  input: json.optional(),
});

/** Config of {@link sparkSubmit}. */
export const sparkSubmitSchema = fields
  .refine(({ master, deployMode }) => (master === "yarn") === (deployMode === "cluster"), {
    error: 'master "yarn" and deployMode "cluster" go together',
  })
  .refine(({ master, session }) => master === "local" || session === "own", {
    error: "a warm session is on the worker's machine",
  });

/** {@link sparkSubmitSchema} once checked. */
export type SparkSubmitConfig = z.output<typeof sparkSubmitSchema>;

const declare = defineOperator<Json, typeof sparkSubmitSchema>("spark_submit", sparkSubmitSchema);

/**
 * Runs a PySpark application. `R` is what it writes, as JSON, to the file that the environment variable QFLOW_RESULT names; null
 * when it writes none. See docs/operators/spark-submit.md.
 */
export function sparkSubmit<R = null>(config: TemplatedConfig<z.input<typeof sparkSubmitSchema>>): Operator<R> {
  return declare(config) as Operator<R>;
}
