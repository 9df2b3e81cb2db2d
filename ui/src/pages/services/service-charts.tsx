/** Throughput, lag and batch times of a service. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { ErrorNote } from "../../components/feedback.tsx";
import { count, duration } from "../../lib/format.ts";
import { serviceProgressQuery } from "../../lib/service-queries.ts";
import { chartsOf } from "./chart-model.ts";
import { TimeChart } from "./time-chart.tsx";

/** Ranges that one may choose, in minutes. */
export const RANGES = [
  [15, "15 min"],
  [60, "1 h"],
  [360, "6 h"],
  [1440, "24 h"],
  [10_080, "7 d"],
] as const;

const whole = (value: number) => count(Math.round(value * 10) / 10);

export function ServiceCharts({ serviceId, minutes }: { serviceId: string; minutes: number }) {
  const progress = useQuery(serviceProgressQuery(serviceId, minutes));
  const { data, dataUpdatedAt } = progress;
  const charts = useMemo(() => data && chartsOf(data, dataUpdatedAt), [data, dataUpdatedAt]);
  if (progress.isError) return <ErrorNote error={progress.error} onRetry={() => void progress.refetch()} />;
  return (
    <div className="service-charts">
      <section className="card service-chart">
        <h2>Throughput, rows a second</h2>
        {charts && <TimeChart times={charts.times} lines={charts.throughput} format={whole} label="Rows a second" />}
      </section>
      <section className="card service-chart">
        <h2>Lag, records not read yet</h2>
        {charts && <TimeChart times={charts.times} lines={charts.lag} format={whole} label="Lag in records" />}
      </section>
      <section className="card service-chart">
        <h2>Batch time</h2>
        {charts && <TimeChart times={charts.times} lines={charts.batches} format={duration} label="Batch times" />}
      </section>
    </div>
  );
}
