import { cron, dag } from "qflow";
import { ftpArrivals } from "qflow/operators";
import { feedBatches } from "./qcompany/datasets.ts";
import { FEED, PATIENT } from "./qcompany/feed.ts";

/** Looks at the FTP server and announces every batch that is stable and holds something not loaded yet. */
export default dag(
  "qcompany_arrivals",
  {
    schedule: cron("* * * * *", { timezone: "Africa/Cairo" }),
    catchup: "none",
    maxActiveRuns: 1,
    owner: "data-platform",
    tags: ["qcompany"],
    datasets: [feedBatches],
    doc: "Every minute: one event of feed.batches for every batch that holds something not loaded yet, in ascending order.",
  },
  (t) => {
    t.task("arrivals", ftpArrivals({ ...FEED, dataset: feedBatches.id }), {
      ...PATIENT,
      retries: 2,
      timeout: "PT10M",
      doc: "Two listings at least two seconds apart; a batch whose files still change waits for the next minute.",
    });
  },
);
