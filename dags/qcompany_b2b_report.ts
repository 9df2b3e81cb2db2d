import { dag, onDatasets } from "qflow";
import { csvReport } from "qflow/operators";
import { agentPerformance } from "./qcompany/datasets.ts";
import { HIVE_CONNECTION, PATIENT } from "./qcompany/feed.ts";

/** The B2B team's report: one CSV for every day whose figures changed. */
export default dag(
  "qcompany_b2b_report",
  {
    schedule: onDatasets(agentPerformance),
    maxActiveRuns: 1,
    owner: "data-platform",
    tags: ["qcompany"],
    doc: "reports/b2b/sales_agent_performance_YYYY-MM-DD.csv for every day that changed since the last report.",
  },
  (t) => {
    t.task(
      "report",
      csvReport({
        connection: HIVE_CONNECTION,
        report: "b2b_sales_agent_performance",
        query: `select transaction_date, changed_seq, sales_agent_name, product_name, total_sold_units
                from ${agentPerformance.id}`,
        partitionBy: "transaction_date",
        changedBy: "changed_seq",
        columns: ["sales_agent_name", "product_name", "total_sold_units"],
        sortBy: ["sales_agent_name", "product_name"],
        fileName: "sales_agent_performance_{partition}.csv",
        directory: "b2b",
      }),
      {
        ...PATIENT,
        reads: [agentPerformance],
        emits: ["reports.b2b"],
        doc: "Written under a temporary name, then renamed.",
      },
    );
  },
);
