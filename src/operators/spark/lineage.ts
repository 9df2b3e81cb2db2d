/** OpenLineage around a Spark application: what its listener is told, and whether its events arrived. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../../config.ts";
import { QflowError } from "../../errors.ts";
import { lineageForAttempt } from "../../metadata/lineage.ts";
import type { OperatorContext } from "../run.ts";

const NAMESPACE = "qflow";
/** The listener has sent everything when an application has ended; only the receiver may be a little behind. */
const ARRIVAL_MS = 3_000;
const POLL_MS = 200;

/** The listener's class, for `spark.extraListeners`. */
export const LINEAGE_LISTENER = "io.openlineage.spark.agent.OpenLineageSparkListener";

/**
 * Settings that make the listener post to qflow as a child of this attempt; null where lineage is not collected. The attempt is also the
 * root: of a query's event the direct parent is Spark's application, and the root is what leads to the task.
 */
export function lineageProperties(
  config: Config,
  context: Pick<OperatorContext, "dagId" | "taskId" | "attempt">,
): Record<string, string> | null {
  if (config.lineage === null) return null;
  const url = new URL(config.lineage.url);
  const job = `${context.dagId}.${context.taskId}`;
  return {
    "spark.openlineage.appName": job,
    "spark.openlineage.namespace": NAMESPACE,
    "spark.openlineage.parentJobNamespace": NAMESPACE,
    "spark.openlineage.parentJobName": job,
    "spark.openlineage.parentRunId": context.attempt.id,
    "spark.openlineage.rootParentJobNamespace": NAMESPACE,
    "spark.openlineage.rootParentJobName": job,
    "spark.openlineage.rootParentRunId": context.attempt.id,
    "spark.openlineage.transport.type": "http",
    "spark.openlineage.transport.url": url.origin,
    "spark.openlineage.transport.endpoint": url.pathname === "/" ? "/api/v1/lineage" : url.pathname,
    "spark.openlineage.transport.timeoutInMillis": "15000",
    "spark.openlineage.transport.auth.type": "api_key",
    "spark.openlineage.transport.auth.apiKey": config.lineage.token,
    // Filters and joins concern a whole dataset, and are told once instead of once a column.
    "spark.openlineage.columnLineage.datasetLineageEnabled": "true",
  };
}

/** Waits up to 3 s until a completed event with inputs and outputs of this attempt is stored; logs LINEAGE_MISSING when none comes. */
export async function awaitLineage(context: OperatorContext): Promise<void> {
  if (context.config.lineage === null) return;
  for (let waited = 0; waited < ARRIVAL_MS; waited += POLL_MS) {
    if ((await lineageForAttempt(context.database, context.attempt.id)).complete) return;
    await sleep(POLL_MS, undefined, { signal: context.signal });
  }
  const missing = new QflowError(
    "LINEAGE_MISSING",
    "no completed OpenLineage event with inputs and outputs came from Spark",
  );
  context.log.warn(`${missing.code}: ${missing.message}. ${missing.remedy}`);
}
