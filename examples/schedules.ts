import { all, calendar, continuous, cron, dag, every, once, onDatasets } from "qflow";

/** Weekends and holidays are data: dates of one year, or days of every year. */
const cairo = calendar({ weekend: ["friday", "saturday"], holidays: ["01-07", "07-23", "2026-05-27"] });

/** At nine, and from the 28th on at noon too; what falls on a closed day comes at the same time of the next business day. */
export const report = dag(
  "report_business_days",
  {
    schedule: cron(["0 9 * * *", "0 12 28-31 * *"], {
      timezone: "Africa/Cairo",
      calendar: cairo,
      onClosedDay: "nextBusinessDay",
    }),
    start: "2026-01-01",
  },
  (t) => {
    t.task("write", (_, ctx) => ({ day: ctx.logicalDate?.toISOString() ?? null }));
  },
);

/** Every quarter of an hour by elapsed time, counted from the start. */
export const poll = dag("poll", { schedule: every("PT15M"), start: "2026-01-01T00:05Z" }, (t) => {
  t.task("look", () => ({ seen: 0 }));
});

/** One run, as soon as the DAG is un-paused. */
export const seed = dag("seed", { schedule: once() }, (t) => {
  t.task("load", { emits: ["examples.seed"] }, () => ({ rows: 100 }));
});

/** Again as soon as a run has ended, for the time since the one before, at most once a minute. */
export const drain = dag("drain", { schedule: continuous({ atMostEvery: "1m" }) }, (t) => {
  t.task("take", (_, ctx) => ({ since: ctx.interval?.start.toISOString() ?? null }));
});

/** Writes a day's part of two datasets and says which day. */
export const days = dag("write_days", { schedule: cron("@daily"), start: "2026-01-01" }, (t) => {
  t.task("write", { emits: ["examples.sales", "examples.returns"] }, (_, ctx) => {
    const partition = ctx.logicalDate?.toISOString().slice(0, 10) ?? "unknown";
    for (const dataset of ["examples.sales", "examples.returns"]) ctx.emit(dataset, { key: partition, partition });
  });
});

/** One run a day that both datasets have; it knows which. */
export const margin = dag(
  "margin",
  { schedule: onDatasets(all("examples.sales", "examples.returns"), { consume: "partition" }) },
  (t) => {
    t.task("compute", { emits: ["examples.margin"] }, (_, ctx) => ({ day: ctx.partition }));
  },
);
