/** A DAG that tells people when something is wrong. The connections `oncall`, `team_chat` and `warehouse_hook` say who and how. */
import { cron, dag } from "qflow";

export default dag(
  "orders_told",
  {
    schedule: cron("30 2 * * *"),
    notify: [
      { on: ["runFailed", "deadlineMissed", "importError"], to: ["oncall", "team_chat"] },
      { on: "runSucceeded", to: "warehouse_hook" },
    ],
    deadline: { after: "2h", from: "logicalDate", notify: ["oncall"] },
  },
  (t) => {
    t.task("load", { deadline: { after: "PT30M" }, retries: 2 }, () => ({ rows: 3 }));
  },
);
