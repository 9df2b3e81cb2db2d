/** DAGs that look like Q Company's, for the browser tests. */
import type { DagSpec } from "../../../src/dag/spec.ts";
import { dagSpec, type TaskGiven } from "../../metadata/fixtures.ts";

const RETRY_ONCE = { retries: 1, delayMs: 0, factor: 1, maxMs: 0, jitter: "none" } as const;

function spark(id: string, given: Partial<TaskGiven>): TaskGiven {
  const operator = { name: "sparkSubmit", config: { application: `jobs/${id}.py` } };
  return { id, kind: "operator", operator, pool: "spark", retry: RETRY_ONCE, ...given };
}

/** Five tasks in a row, with datasets at the borders. */
export const BATCH: DagSpec = dagSpec(
  "qcompany_batch",
  [
    {
      id: "land",
      kind: "operator",
      operator: { name: "ftpIngest", config: {} },
      reads: ["feed.batches"],
      emits: ["staging.files"],
      line: 12,
    },
    spark("standardize", {
      upstream: ["land"],
      reads: ["staging.files"],
      emits: ["standardized.sales_transactions", "standardized.quarantine"],
    }),
    spark("conform", {
      upstream: ["standardize"],
      reads: ["standardized.sales_transactions"],
      emits: ["conformed.fact_sales", "conformed.dim_customer"],
    }),
    spark("enrich", {
      upstream: ["conform"],
      reads: ["conformed.fact_sales"],
      emits: ["enriched.most_selling_products", "enriched.most_redeemed_offers"],
    }),
    { id: "checks", upstream: ["enrich"] },
  ],
  {
    doc: "Loads one batch of the feed into the lake",
    owner: "data platform",
    tags: ["qcompany"],
    schedule: { kind: "datasets", condition: { dataset: "feed.batches" }, consume: "each" },
    maxActiveRuns: 20,
    datasets: [{ id: "conformed.fact_sales", description: "Every sale, once", owner: "data platform" }],
  },
);

/** A schedule by time. */
export const ARRIVALS: DagSpec = dagSpec("qcompany_arrivals", [{ id: "look", emits: ["feed.batches"] }], {
  doc: "Looks for new batches on the FTP server",
  schedule: { kind: "cron", expression: "* * * * *", timezone: "Africa/Cairo" },
});

/** Params of every kind. */
export const EXPORT: DagSpec = dagSpec(
  "export_orders",
  [{ id: "list" }, { id: "copy", kind: "map", upstream: ["list"], inputs: { item: "list" }, mapOver: "list" }],
  {
    params: {
      type: "object",
      properties: {
        region: { type: "string", enum: ["eu", "us"], default: "eu" },
        rows: { type: "integer", minimum: 1, maximum: 1000, default: 100, description: "How many rows to take" },
        label: { type: "string" },
      },
      required: ["region", "rows", "label"],
    },
  },
);
