import { cron, dag } from "qflow";
import { z } from "zod";

/** One run a region at once, two landings of a region at once, and a task for workers with more memory. */
export default dag(
  "sales",
  {
    schedule: cron("0 2 * * *"),
    params: z.object({ region: z.enum(["eu", "us"]).default("eu") }),
    concurrency: { key: "region", limit: 1 },
  },
  (t) => {
    const region = { key: t.params.region, limit: 2 };
    const land = t.task("land", { pool: "erp", concurrency: region }, (_, ctx) => ctx.params.region);
    t.task("load", { in: { land }, queue: "heavy" }, ({ land }) => land);
  },
);
