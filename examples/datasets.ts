import { all, cronInterval, dag, dataset, onDatasets } from "qflow";

const orders = dataset("examples.orders", { description: "Orders of a day", owner: "sales" });
const stock = dataset("examples.stock", { description: "Stock at midnight", owner: "logistics" });

/** Two producers, each for the day that has just ended, and a consumer that runs when both have something new. */
export const producers = [orders, stock].map((target) =>
  dag(
    `produce_${target.id.split(".")[1]}`,
    { schedule: cronInterval("@daily"), start: "2026-01-01", catchup: "latest" },
    (t) => {
      t.task("write", { emits: [target] }, (_, ctx) => ({ day: ctx.interval?.start.toISOString() ?? null }));
    },
  ),
);

export const consumer = dag("availability", { schedule: onDatasets(all(orders, stock)), maxActiveRuns: 1 }, (t) => {
  t.task("join", { reads: [orders, stock], emits: ["examples.availability"] }, (_, ctx) => ({
    events: ctx.events.length,
  }));
});
