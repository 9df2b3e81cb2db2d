import { dag, onDatasets } from "qflow";
import { sparkSubmit } from "qflow/operators";
import { factSales } from "./qcompany/datasets.ts";
import { ON_SPARK } from "./qcompany/feed.ts";

/** The marketing team's tables, recomputed whenever sales have changed. */
export default dag(
  "qcompany_insights",
  {
    schedule: onDatasets(factSales),
    maxActiveRuns: 1,
    owner: "data-platform",
    tags: ["qcompany"],
    doc: "Most selling products, most redeemed offers (also per product) and online sales by city, online and offline apart.",
  },
  (t) => {
    t.task(
      "insights",
      sparkSubmit<{ rows: Record<string, number> }>({ application: "jobs/insights.py", session: "warm" }),
      {
        ...ON_SPARK,
        reads: [factSales],
        emits: [
          "enriched.most_selling_products",
          "enriched.most_redeemed_offers",
          "enriched.most_redeemed_offers_per_product",
          "enriched.least_performing_cities_online",
        ],
        doc: "All rows of each, never a top-N.",
      },
    );
  },
);
