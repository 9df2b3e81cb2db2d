/** Figures of a peer from when its steps started and ended, in milliseconds of any one clock. */

import { percentiles } from "../engine/readings.ts";
import { type Figure, figure } from "../figure.ts";

/** One task or job. */
export interface Step {
  readonly start: number;
  readonly end: number;
}

/** Wall time of a chain, and the gaps between the end of a step and the start of the next. */
export function* chainFigures(name: string, runs: readonly (readonly Step[])[]): Generator<Figure> {
  yield figure(`${name} wall`, "s", runs.map(wallSeconds));
  const sorted = runs.map((steps) => [...steps].sort((a, b) => a.start - b.start));
  const gaps = sorted.map((steps) => steps.slice(1).map((step, i) => step.start - (steps[i]?.end ?? Number.NaN)));
  yield* percentiles(`${name} gap`, "ms", gaps);
  const hops = sorted.map((steps) => steps.slice(1).map((step, i) => step.start - (steps[i]?.start ?? Number.NaN)));
  yield* percentiles(`${name} hop`, "ms", hops);
}

/** Wall time and rate of many steps, from the first start to the last end. */
export function* crowdFigures(name: string, runs: readonly (readonly Step[])[]): Generator<Figure> {
  yield figure(`${name} wall`, "s", runs.map(wallSeconds));
  const rates = runs.map((steps) => steps.length / wallSeconds(steps));
  yield figure(`${name} throughput`, "tasks/s", rates);
}

function wallSeconds(steps: readonly Step[]): number {
  return (Math.max(...steps.map(({ end }) => end)) - Math.min(...steps.map(({ start }) => start))) / 1000;
}
