/** One run of a PySpark application, however it is run. */
import { readFile, stat, writeFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import type { Json } from "../../dag/spec.ts";
import { messageOf, QflowError } from "../../errors.ts";
import { ATTEMPT_MARKER } from "../../processes/markers.ts";
import type { OperatorContext } from "../run.ts";
import type { SparkSubmitConfig } from "../spark-submit.ts";
import { lineageProperties } from "./lineage.ts";

/** What is run. */
export interface SparkJob {
  /** `<dag>.<task>.<token>`. */
  readonly name: string;
  readonly token: string;
  /** Absolute path. */
  readonly application: string;
  readonly args: readonly string[];
  readonly conf: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly lineage: Readonly<Record<string, string>> | null;
  /** Private folder of the attempt; gone after it. */
  readonly folder: string;
}

/** How it ended. */
export interface SparkEnd {
  readonly exitCode: number | null;
  /** What ended it other than its own exit: a signal, a lost driver. */
  readonly killedBy: string | null;
}

/** Prepares a job in `folder`. Throws SPARK_FAILED when there is no such application. */
export async function prepareJob(
  config: SparkSubmitConfig,
  context: OperatorContext,
  folder: string,
): Promise<SparkJob> {
  const base = dirname(context.config.dagsDir);
  const application = isAbsolute(config.application) ? config.application : join(base, config.application);
  if (!(await stat(application).catch(() => null))?.isFile()) {
    throw new QflowError("SPARK_FAILED", `there is no application ${application}`, {
      remedy: "Correct the path of the application.",
    });
  }
  const input = join(folder, "input.json");
  if (config.input !== undefined) await writeFile(input, JSON.stringify(config.input), { mode: 0o600 });
  const { token } = context.attempt;
  return {
    name: `${context.dagId}.${context.taskId}.${token}`,
    token,
    application,
    args: config.args.map((value) => (typeof value === "string" ? value : JSON.stringify(value))),
    conf: config.conf,
    env: {
      [ATTEMPT_MARKER]: token,
      QFLOW_RESULT: resultFile(folder),
      ...(config.input === undefined ? {} : { QFLOW_INPUT: input }),
    },
    lineage: lineageProperties(context.config, context),
    folder,
  };
}

/** The JSON the job wrote, or null when it wrote none. Throws SPARK_FAILED when it is not JSON. */
export async function readResult(job: Pick<SparkJob, "folder" | "application">): Promise<Json> {
  const text = await readFile(resultFile(job.folder), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (text === null) return null;
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new QflowError("SPARK_FAILED", `the result of ${job.application} is not JSON: ${messageOf(error)}`);
  }
}

function resultFile(folder: string): string {
  return join(folder, "result.json");
}
