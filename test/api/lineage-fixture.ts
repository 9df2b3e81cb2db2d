/** Events that Spark 4.2 with openlineage-spark 1.53.0 sent for one job, and a database with the attempt they name. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Database } from "../../src/metadata/database.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { dagSpec, deploy, success, work } from "../metadata/fixtures.ts";

/** An event as JSON. */
export type LineageEvent = Record<string, unknown> & { eventType: string };

/** Parent run of every recorded event. */
const RECORDED_ATTEMPT = "0198aaaa-bbbb-7ccc-8ddd-000000000001";

/** The DAG around the recorded job: what comes before and after it is declared. */
export const BATCH = dagSpec("batch", [
  { id: "land", reads: ["feed.sales_transactions"], emits: ["staging.sales_transactions"] },
  { id: "conform", upstream: ["land"] },
  { id: "report", upstream: ["conform"], reads: ["enriched.most_selling_products"], emits: ["reports.b2b"] },
]);

/** The recorded events as if attempt `attemptId` had run the job. */
export function sparkEvents(attemptId: string): LineageEvent[] {
  const text = readFileSync(join(import.meta.dirname, "fixtures/openlineage-spark.jsonl"), "utf8");
  return text
    .replaceAll(RECORDED_ATTEMPT, attemptId)
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** Deploys {@link BATCH}, runs it once, and gives the attempt of task `conform`. */
export async function ranBatch(db: Database): Promise<{ attemptId: string }> {
  await deploy(db, BATCH);
  await createRun(db, { dagId: "batch", runId: "one", by: "test" });
  const ran = await work(db, () => success());
  return { attemptId: ran.find((task) => task.taskId === "conform")?.attemptId as string };
}
