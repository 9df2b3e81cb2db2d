/** What a simulated period asks of the platform, hour by hour and DAG by DAG. Pure. */
import type { SimulatedRun, Simulation } from "./simulate-fleet.ts";

/** One hour of a period. */
export interface FleetHour {
  readonly hour: Date;
  readonly started: number;
  /** Most runs at once. */
  readonly peak: number;
  /** Runs at once on average. */
  readonly mean: number;
}

/** One DAG over a period. */
export interface FleetDagLoad {
  readonly dagId: string;
  readonly runs: number;
  /** Runs that max_active_runs held back, and the longest it did, in milliseconds. */
  readonly waited: number;
  readonly longestWaitMs: number;
  /** Ticks that got no run. */
  readonly skipped: number;
  /** Time its runs take together, in milliseconds. */
  readonly busyMs: number;
}

const HOUR = 3_600_000;

/** Runs of every hour from `from` to `to`; hours are those of UTC. */
export function loadByHour(runs: readonly SimulatedRun[], from: Date, to: Date): FleetHour[] {
  const first = Math.floor(from.getTime() / HOUR);
  const count = Math.max(0, Math.ceil(to.getTime() / HOUR) - first);
  const started = new Array<number>(count).fill(0);
  const busy = new Array<number>(count).fill(0);
  const peak = new Array<number>(count).fill(0);
  for (const run of runs) {
    const place = Math.floor(run.startedAt.getTime() / HOUR) - first;
    started[place] = (started[place] ?? 0) + 1;
    for (let i = place; i < count && (first + i) * HOUR < run.endedAt.getTime(); i++) {
      const begin = Math.max(run.startedAt.getTime(), (first + i) * HOUR);
      busy[i] = (busy[i] as number) + Math.min(run.endedAt.getTime(), (first + i + 1) * HOUR) - begin;
    }
  }
  let active = 0;
  let hour = 0;
  for (const { at, change } of changesOf(runs)) {
    for (; hour < Math.min(count - 1, Math.floor(at / HOUR) - first); hour++) peak[hour + 1] = active;
    active += change;
    if (hour < count) peak[hour] = Math.max(peak[hour] as number, active);
  }
  return started.map((n, i) => ({
    hour: new Date((first + i) * HOUR),
    started: n,
    peak: peak[i] as number,
    mean: Math.round(((busy[i] as number) / HOUR) * 100) / 100,
  }));
}

/** Starts and ends in order; at one moment the ends first. */
function changesOf(runs: readonly SimulatedRun[]): { at: number; change: 1 | -1 }[] {
  const changes = runs.flatMap((run): { at: number; change: 1 | -1 }[] => [
    { at: run.startedAt.getTime(), change: 1 },
    { at: run.endedAt.getTime(), change: -1 },
  ]);
  return changes.sort((a, b) => a.at - b.at || a.change - b.change);
}

/** What becomes of every DAG that has runs or loses ticks, by id. */
export function loadByDag({ runs, skipped }: Simulation): FleetDagLoad[] {
  const ids = [...new Set([...runs.map((run) => run.dagId), ...Object.keys(skipped)])].sort();
  const own = Map.groupBy(runs, (run) => run.dagId);
  return ids.map((dagId) => {
    const waits = (own.get(dagId) ?? []).map((run) => run.startedAt.getTime() - run.dueAt.getTime());
    return {
      dagId,
      runs: waits.length,
      waited: waits.filter((wait) => wait > 0).length,
      longestWaitMs: waits.reduce((longest, wait) => Math.max(longest, wait), 0),
      skipped: skipped[dagId] ?? 0,
      busyMs: (own.get(dagId) ?? []).reduce((sum, run) => sum + run.endedAt.getTime() - run.startedAt.getTime(), 0),
    };
  });
}
