/**
 * A Spark application whose driver runs on YARN: it outlives the worker, and the next attempt goes on with it instead of submitting a
 * second one.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { QflowError } from "../../errors.ts";
import { endGroup } from "../../processes/ending.ts";
import { ATTEMPT_MARKER } from "../../processes/markers.ts";
import { AttemptStopped } from "../attempt-stopped.ts";
import type { OperatorContext } from "../run.ts";
import type { SparkSubmitConfig } from "../spark-submit.ts";
import { DriverLog, logFoldersOf } from "./driver-log.ts";
import { handleOf, type SparkHandle } from "./handle.ts";
import { prepareJob, type SparkEnd, type SparkJob } from "./job.ts";
import { launch } from "./launch.ts";
import { LINEAGE_LISTENER } from "./lineage.ts";
import { followProgress } from "./progress.ts";
import { hasEnded, type YarnApplication, YarnClient } from "./yarn-client.ts";

/** Connection of the ResourceManager's REST interface. */
export const YARN_CONNECTION = "yarn_default";

type Line = (stream: "stdout" | "stderr", text: string) => void;

const POLL_MS = 1_000;
/** The driver's log is read whole each time. */
const LOG_EVERY_MS = 5_000;
const SUBMIT_GRACE_MS = 5_000;

/** How an application ended. */
export interface YarnEnd extends SparkEnd {
  /** Where its result is. */
  readonly folder: string;
  /** Token of the attempt that submitted it. */
  readonly token: string;
}

/**
 * Goes on with what an earlier attempt has submitted and nobody has seen the end of, else submits. An attempt that is stopped kills the
 * application, unless only its worker goes: then the next attempt goes on with it. Throws YARN_UNAVAILABLE, SPARK_FAILED, SPARK_MISSING.
 */
export async function runOnYarn(
  config: SparkSubmitConfig,
  context: OperatorContext,
  previous: SparkHandle | null,
  line: Line,
): Promise<YarnEnd> {
  const client = new YarnClient(context.connection(YARN_CONNECTION));
  const left = previous?.session === "yarn" && !previous.over ? await leftOver(client, previous) : null;
  if (previous !== null && left !== null) {
    context.log.info(`goes on with YARN application ${left.id} of an earlier attempt, which is ${left.state}`);
    await context.saveHandle({ ...previous, applicationId: left.id });
    const end = await follow({ client, context, line, handle: previous }, left);
    // Whoever stopped the earlier attempt has killed it: that says nothing of this one.
    if (end.state !== "KILLED") return endOf(context, previous.token, end);
  }
  return submit(client, config, context, line);
}

/** The application of an earlier attempt, unless it was killed or there is none. */
async function leftOver(client: YarnClient, { token }: SparkHandle): Promise<YarnApplication | null> {
  const [newest] = await client.tagged(token);
  return newest === undefined || newest.state === "KILLED" ? null : newest;
}

async function submit(
  client: YarnClient,
  config: SparkSubmitConfig,
  context: OperatorContext,
  line: Line,
): Promise<YarnEnd> {
  const { token } = context.attempt;
  const folder = jobFolder(context, token);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const job = await prepareJob(config, context, folder);
  const handle = handleOf(job, { session: "yarn", process: null, applicationId: null });
  // The tag is durable before anything is submitted: whatever comes of it can be found.
  await context.saveHandle({ ...handle });
  const application = await submitted(client, job, context, line);
  context.log.info(`YARN application ${application.id}`, { name: job.name, ui: application.trackingUrl ?? null });
  await context.saveHandle({ ...handle, applicationId: application.id });
  return endOf(context, token, await follow({ client, context, line, handle }, application));
}

/** Runs `spark-submit`, which ends when YARN has taken the application. */
async function submitted(
  client: YarnClient,
  job: SparkJob,
  context: OperatorContext,
  line: Line,
): Promise<YarnApplication> {
  const { hadoopConfDir } = context.config;
  if (hadoopConfDir === null)
    throw new QflowError("CONFIG_INVALID", "QFLOW_HADOOP_CONF_DIR is not set, and YARN is used");
  const { [ATTEMPT_MARKER]: _, ...driverEnv } = job.env;
  const launched = await launch({
    config: context.config,
    name: job.name,
    kind: "own",
    application: job.application,
    args: job.args,
    conf: { ...clusterConf(job), ...environmentConf(driverEnv), ...job.conf, ...fixedConf(job) },
    env: { ...job.env, HADOOP_CONF_DIR: hadoopConfDir },
    folder: join(job.folder, "submit"),
    line,
  });
  const abort = Promise.withResolvers<null>();
  const onAbort = () => abort.resolve(null);
  context.signal.addEventListener("abort", onAbort, { once: true });
  if (context.signal.aborted) onAbort();
  try {
    const ended = await Promise.race([launched.ended, abort.promise]);
    const [application] = await client.tagged(job.token);
    if (application !== undefined) return application;
    context.signal.throwIfAborted();
    throw new QflowError("SPARK_FAILED", `spark-submit ended with ${ended?.signal ?? `exit code ${ended?.code}`}`, {
      details: { exitCode: ended?.code ?? null },
    });
  } finally {
    context.signal.removeEventListener("abort", onAbort);
    await endGroup(launched.identity, { name: ATTEMPT_MARKER, value: job.token }, SUBMIT_GRACE_MS);
  }
}

function clusterConf(job: SparkJob): Record<string, string> {
  return job.lineage === null ? {} : { ...job.lineage, "spark.extraListeners": LINEAGE_LISTENER };
}

function environmentConf(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [`spark.yarn.appMasterEnv.${name}`, value]));
}

/** What finding the application again rests on. */
function fixedConf(job: SparkJob): Record<string, string> {
  return {
    "spark.master": "yarn",
    "spark.submit.deployMode": "cluster",
    "spark.yarn.tags": job.token,
    "spark.yarn.submit.waitAppCompletion": "false",
    // Tries are the scheduler's: one that YARN makes by itself would be unknown to it.
    "spark.yarn.maxAppAttempts": "1",
    // The class that a home's own drivers use lies beside them, and neither where an application is submitted nor on a cluster's nodes.
    "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.LocalFileSystem",
  };
}

interface Following {
  readonly client: YarnClient;
  readonly context: OperatorContext;
  readonly line: Line;
  readonly handle: SparkHandle;
}

/** Resolves when the application has ended, with its log told and the end noted. */
async function follow(
  { client, context, line, handle }: Following,
  started: YarnApplication,
): Promise<YarnApplication> {
  const { hadoopConfDir } = context.config;
  const log = new DriverLog(hadoopConfDir === null ? [] : await logFoldersOf(hadoopConfDir), line);
  const over = new AbortController();
  const sink = { progress: context.progress, started: () => {} };
  let now = started;
  let readAt = 0;
  let asked = false;
  try {
    while (!hasEnded(now)) {
      if (context.signal.aborted) await stop({ client, context, handle }, now);
      if (now.state === "RUNNING" && now.trackingUrl && !asked) {
        asked = true;
        void followProgress(now.trackingUrl.replace(/\/$/, ""), sink, over.signal);
      } else if (now.state !== "RUNNING") context.progress(`YARN: ${now.state.toLowerCase()}`, 0, null);
      if (performance.now() - readAt > LOG_EVERY_MS) {
        await log.read(now, "meanwhile");
        readAt = performance.now();
      }
      await sleep(POLL_MS, undefined, { signal: context.signal }).catch(() => {});
      now = await client.application(now.id);
    }
  } finally {
    over.abort();
  }
  await log.read(now, "end");
  await context.saveHandle({ ...handle, applicationId: now.id, over: true });
  return now;
}

/** Throws what the attempt was stopped with, when the application has been killed or is left to the next attempt. */
async function stop(
  { client, context, handle }: Omit<Following, "line">,
  application: YarnApplication,
): Promise<never> {
  const { reason } = context.signal;
  const goesOn = reason instanceof AttemptStopped && (reason.why === "shutdown" || reason.why === "orphaned");
  if (goesOn) context.log.info(`YARN application ${application.id} is left to the next attempt`);
  else {
    const { state } = await client.kill(application.id);
    context.log.info(`YARN application ${application.id} was stopped: ${state}`);
    await removeJobFolder(context, handle.token);
  }
  throw reason;
}

function endOf(context: OperatorContext, token: string, { state, finalStatus, diagnostics }: YarnApplication): YarnEnd {
  const folder = jobFolder(context, token);
  if (finalStatus === "SUCCEEDED") return { exitCode: 0, killedBy: null, folder, token };
  const exitCode = exitCodeIn(diagnostics);
  const why = diagnostics.trim().split("\n")[0] ?? "";
  return {
    exitCode,
    killedBy: exitCode === null ? `YARN: ${state}${why === "" ? "" : `, ${why}`}` : null,
    folder,
    token,
  };
}

/** The code with which the application's program ended, where YARN's text names it. */
export function exitCodeIn(diagnostics: string): number | null {
  const code = /User application exited with (?:status )?(\d+)/.exec(diagnostics)?.[1];
  return code === undefined ? null : Number(code);
}

/** Where the application finds its input and leaves its result: known by the token, whoever asks. */
function jobFolder(context: Pick<OperatorContext, "config">, token: string): string {
  return join(context.config.home, "tmp", "yarn", token);
}

/** Removes the folder of an application that has been dealt with. */
export async function removeJobFolder(context: Pick<OperatorContext, "config">, token: string): Promise<void> {
  await rm(jobFolder(context, token), { recursive: true, force: true });
}
