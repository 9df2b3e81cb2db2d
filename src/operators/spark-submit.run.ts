/** The work of `sparkSubmit`. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Json } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";
import type { OperatorContext } from "./run.ts";
import { endPrevious, handleOf, previousOf } from "./spark/handle.ts";
import { prepareJob, readResult, type SparkEnd, type SparkJob } from "./spark/job.ts";
import { LastWords } from "./spark/last-words.ts";
import { awaitLineage } from "./spark/lineage.ts";
import { removeJobFolder, runOnYarn } from "./spark/on-yarn.ts";
import { runInOwnDriver } from "./spark/own-driver.ts";
import { followProgress } from "./spark/progress.ts";
import { warmPoolOf } from "./spark/warm-pool.ts";
import type { SparkSubmitConfig } from "./spark-submit.ts";

type Line = (stream: "stdout" | "stderr", text: string) => void;

/** Runs the application and returns what it wrote as its result. */
export async function run(config: SparkSubmitConfig, context: OperatorContext): Promise<Json> {
  const pool = warmPoolOf(context.config);
  await endPrevious(context, (driver) => pool.owns(driver));
  const words = new LastWords();
  const line: Line = (stream, text) => {
    words.add(text);
    logLine(context, stream, text);
  };
  return config.master === "yarn" ? runCluster(config, context, words, line) : runHere(config, context, words, line);
}

async function runHere(config: SparkSubmitConfig, context: OperatorContext, words: LastWords, line: Line) {
  const folder = await mkdtemp(join(tmpdir(), "qflow-spark-"));
  try {
    const job = await prepareJob(config, context, folder);
    const warm = config.session === "warm" && context.config.sparkDrivers > 0;
    const end = await (warm ? runWarm(job, context, line) : runInOwnDriver(job, context, line));
    assertSucceeded(end, words);
    const result = await readResult(job);
    await awaitLineage(context);
    return result;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runCluster(config: SparkSubmitConfig, context: OperatorContext, words: LastWords, line: Line) {
  const end = await runOnYarn(config, context, previousOf(context), line);
  try {
    assertSucceeded(end, words);
    const result = await readResult({ folder: end.folder, application: config.application });
    // Events of an application that an earlier attempt has submitted name that one.
    if (end.token === context.attempt.token) await awaitLineage(context);
    return result;
  } finally {
    await removeJobFolder(context, end.token);
  }
}

async function runWarm(job: SparkJob, context: OperatorContext, line: Line): Promise<SparkEnd> {
  const pool = warmPoolOf(context.config);
  context.progress("waiting for a warm Spark driver", 0, null);
  const driver = await pool.acquire(context.signal);
  const over = new AbortController();
  try {
    const { identity, applicationId } = driver;
    await context.saveHandle(handleOf(job, { session: "warm", process: identity, applicationId }));
    context.log.info(`warm Spark application ${applicationId}, job ${driver.jobs + 1}`, {
      name: job.name,
      ui: driver.ui,
    });
    void followProgress(driver.ui, { progress: context.progress, started: () => {} }, over.signal);
    return await driver.run(job, line, context.signal);
  } finally {
    over.abort();
    // Whoever waits for the driver must not wait for this attempt to be recorded, nor the other way round.
    void pool.release(driver);
  }
}

/** Log4j's own lines say how bad they are; everything else is the application's output. */
function logLine(context: OperatorContext, stream: "stdout" | "stderr", text: string): void {
  const level = /^\S+ (WARN|ERROR) /.exec(text)?.[1];
  if (stream === "stderr" && level === "WARN") context.log.warn(text);
  else if (stream === "stderr" && level === "ERROR") context.log.error(text);
  else context.log.info(text);
}

function assertSucceeded(end: SparkEnd, words: LastWords): void {
  if (end.exitCode === 0) return;
  const how = end.killedBy ?? `exit code ${end.exitCode}`;
  const why = words.summary();
  const { exitCode, killedBy } = end;
  throw new QflowError("SPARK_FAILED", why === "" ? how : `${how}: ${why}`, { details: { exitCode, killedBy } });
}
