/** Progress of a service → lines over time. Pure. */
import type { ServiceProgress } from "../../../../src/api/contract.ts";
import type { Line } from "./time-chart.tsx";

/** The three charts, over one axis of time. */
export interface ServiceCharts {
  readonly times: readonly number[];
  readonly throughput: readonly Line[];
  readonly lag: readonly Line[];
  readonly batches: readonly Line[];
}

/** Steps of the whole range up to `now` (milliseconds): where no batch came, nothing was done and nothing is known. */
export function chartsOf({ minutes, step_seconds: step, points }: ServiceProgress, now: number): ServiceCharts {
  const end = Math.floor(now / 1000 / step) * step;
  const start = end - Math.ceil((minutes * 60) / step) * step;
  const byTime = new Map(points.map((point) => [Date.parse(point.at) / 1000, point]));
  const times: number[] = [];
  for (let at = start; at <= end; at += step) times.push(at);
  const values = (of: (point: ServiceProgress["points"][number]) => number | null, missing: number | null) =>
    times.map((at) => {
      const point = byTime.get(at);
      return point === undefined ? missing : of(point);
    });
  return {
    times,
    throughput: [
      { name: "Rows/s", colour: "--series-1", values: values((one) => one.rows_per_second, 0), filled: true },
    ],
    lag: [{ name: "Lag", colour: "--series-2", values: carried(values((one) => one.lag, null)), filled: true }],
    batches: [
      { name: "Mean", colour: "--series-3", values: carried(values((one) => one.batch_ms, null)) },
      { name: "Longest", colour: "--series-4", values: carried(values((one) => one.longest_batch_ms, null)) },
    ],
  };
}

/** Longest pause between two batches over which a value is taken to stay. */
const CARRIED_STEPS = 10;

/** Between two batches the last value holds; after a long pause nothing is known. */
function carried(values: readonly (number | null)[]): (number | null)[] {
  let last: number | null = null;
  let age = 0;
  return values.map((value) => {
    age = value === null ? age + 1 : 0;
    if (value !== null) last = value;
    return age <= CARRIED_STEPS ? last : null;
  });
}
