/** A Spark application in a driver of its own: one `spark-submit` for one attempt. */
import { join } from "node:path";
import { QflowError } from "../../errors.ts";
import { endGroup } from "../../processes/ending.ts";
import { ATTEMPT_MARKER } from "../../processes/markers.ts";
import type { OperatorContext } from "../run.ts";
import { handleOf } from "./handle.ts";
import type { SparkEnd, SparkJob } from "./job.ts";
import { type Launched, launch } from "./launch.ts";
import { LINEAGE_LISTENER } from "./lineage.ts";
import { followProgress } from "./progress.ts";

/** Between TERM and KILL. Less than the worker's patience with a cancelled operator. */
const TERM_GRACE_MS = 5_000;

/** Runs a job and gives each line it prints to `line`. An aborted attempt ends it for certain before this throws. */
export async function runInOwnDriver(
  job: SparkJob,
  context: OperatorContext,
  line: (stream: "stdout" | "stderr", text: string) => void,
): Promise<SparkEnd> {
  await context.saveHandle(handleOf(job, { session: "own", process: null, applicationId: null }));
  const launched = await launch({
    config: context.config,
    name: job.name,
    kind: "own",
    application: job.application,
    args: job.args,
    conf: { ...lineageConf(job), "spark.yarn.tags": job.token, ...job.conf },
    env: job.env,
    folder: join(job.folder, "driver"),
    line,
  });
  const over = new AbortController();
  try {
    await context.saveHandle(handleOf(job, { session: "own", process: launched.identity, applicationId: null }));
    void followProgress(launched.ui, progressSink(job, context, launched), over.signal);
    const ended = await Promise.race([launched.ended, aborted(context.signal)]);
    context.signal.throwIfAborted();
    return { exitCode: ended?.code ?? null, killedBy: ended?.signal ?? null };
  } finally {
    over.abort();
    await endForCertain(job, launched);
  }
}

function lineageConf(job: SparkJob): Record<string, string> {
  return job.lineage === null ? {} : { ...job.lineage, "spark.extraListeners": LINEAGE_LISTENER };
}

function progressSink(job: SparkJob, context: OperatorContext, launched: Launched) {
  return {
    progress: context.progress,
    started: (applicationId: string) => {
      context.log.info(`Spark application ${applicationId}`, { name: job.name, ui: launched.ui });
      // Lost when the attempt is fenced meanwhile; it hears of that elsewhere.
      context.saveHandle(handleOf(job, { session: "own", process: launched.identity, applicationId })).catch(() => {});
    },
  };
}

/** After a normal end this finds nothing; otherwise nothing of the application is left when it returns. */
async function endForCertain(job: SparkJob, launched: Launched): Promise<void> {
  const left = await endGroup(launched.identity, { name: ATTEMPT_MARKER, value: job.token }, TERM_GRACE_MS);
  if (left.length === 0) return;
  throw new QflowError(
    "SPARK_NOT_GONE",
    `processes of ${job.name} do not end: ${left.map((one) => one.pid).join(", ")}`,
  );
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((settle) => {
    if (signal.aborted) settle(null);
    signal.addEventListener("abort", () => settle(null), { once: true });
  });
}
