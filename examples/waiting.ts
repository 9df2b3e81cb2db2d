import { cronInterval, dag } from "qflow";
import { approval, fileSensor, taskSensor, timeSensor } from "qflow/operators";

// A sensor of another DAG looks for its run of the same instant: both have one schedule.
const schedule = cronInterval("30 2 * * *", { timezone: "Africa/Cairo" });

/** Waits for a file, for another DAG's run of the same day, for its own question to be answered, and for a person. */
export default dag("waiting", { schedule, start: "2026-01-01" }, (t) => {
  const files = t.sensor("delivered", fileSensor({ path: "/data/in/rates-*.csv", stableSeconds: 30 }), {
    every: "30s",
    timeout: "6h",
    onTimeout: "skip",
  });
  const orders = t.sensor("orders", taskSensor({ dag: "orders_daily", task: "load" }), { timeout: "12h" });
  const settled = t.sensor("settled", timeSensor({ at: t.run.intervalEnd, plus: "2h" }));

  const job = t.task("submit", { in: { files }, after: [orders, settled] }, ({ files }) => ({ id: files.length }));
  const rates = t.sensor(
    "finished",
    { in: { job }, every: "10s", exponential: { max: "5m" }, timeout: "2h" },
    async ({ job }, ctx) => {
      const answer = await fetch(`https://jobs.example.com/${job.id}`, { signal: ctx.signal });
      return answer.status === 200 ? { rows: (await answer.text()).length } : false;
    },
  );

  const yes = t.sensor("release", approval({ subject: "Publish the rates?" }), { after: [rates], timeout: "1d" });
  t.task("publish", { in: { rates, yes } }, ({ rates, yes }) => `${rates.rows} rows, released by ${yes.by}`);
});
