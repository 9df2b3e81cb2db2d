import { cronInterval, dag } from "qflow";
import { sparkSubmit } from "qflow/operators";
import { z } from "zod";

const schedule = cronInterval("30 2 * * *", { timezone: "Africa/Cairo" });
const params = z.object({ region: z.enum(["eu", "us"]).default("eu") });

export default dag("orders_daily", { schedule, params, start: "2026-01-01", catchup: "latest" }, (t) => {
  const files = t.task("list", { retries: 2 }, () => [{ path: "/orders/a.csv", bytes: 800 }]);
  const sizes = t.map("profile", files, (file) => ({ path: file.path, rows: file.bytes / 80 }));
  const job = sparkSubmit({ application: "jobs/load.py", args: ["--region", t.params.region] });
  const load = t.task("load", job, { after: [sizes], pool: "spark" });
  t.task("report", { in: { sizes }, after: [load] }, ({ sizes }, ctx) =>
    ctx.log.info("loaded", { files: sizes.length }),
  );
});
