/** chain40, long10, chain100: what a hand-over from one task to the next costs. */
import { type Figure, figure } from "../figure.ts";
import { chain } from "./dag-files.ts";
import { cpuSeconds } from "./processes.ts";
import { firstStartMs, hopsOf, percentiles, runSeconds } from "./readings.ts";
import type { Row } from "./row.ts";
import type { Stand } from "./stand.ts";

const WARM_UP_RUNS = 3;
const RUNS = 7;

/** Runs of 40 and 100 no-ops (fib(10)) and of 10 longer tasks (fib(33)), one after another. */
export const chains: Row = {
  dags: {
    "chain40.ts": chain("chain40", 40, 10),
    "chain100.ts": chain("chain100", 100, 10),
    "long10.ts": chain("long10", 10, 33),
  },
  async *measure(stand) {
    for (const dagId of ["chain40", "chain100", "long10"]) await stand.unpause(dagId);
    await runsOf(stand, "chain100", WARM_UP_RUNS);
    const chain40 = await runsOf(stand, "chain40", RUNS);
    const walls = await Promise.all(chain40.map((run) => runSeconds(stand.database, run)));
    yield figure("chain40 wall", "s", walls);
    const starts = await Promise.all(chain40.map((run) => firstStartMs(stand.database, run)));
    yield figure("trigger to first start", "ms", starts);
    yield* chain100(stand);
    yield* long10(stand);
  },
};

async function* chain100(stand: Stand): AsyncGenerator<Figure> {
  const groups = { PostgreSQL: await stand.serverPids(), qflow: await stand.pids() };
  const before = { PostgreSQL: await cpuSeconds(groups.PostgreSQL), qflow: await cpuSeconds(groups.qflow) };
  yield* percentiles("chain100 hop", "ms", await chainHops(stand, RUNS));
  for (const name of ["PostgreSQL", "qflow"] as const) {
    const used = (await cpuSeconds(groups[name])) - before[name];
    yield figure(`chain100 CPU a hop, ${name}`, "ms", [(used * 1000) / (RUNS * 100)]);
  }
}

async function* long10(stand: Stand): AsyncGenerator<Figure> {
  const runs = await runsOf(stand, "long10", 3);
  const walls = await Promise.all(runs.map((run) => runSeconds(stand.database, run)));
  const alone = fibMs(33);
  const overheads = walls.map((seconds) => seconds * 100 - alone);
  yield figure("long10 wall beyond the task alone", "ms a task", overheads);
}

/** The hops of so many runs of chain100, in milliseconds. */
export async function chainHops(stand: Stand, runs: number): Promise<number[][]> {
  const ids = await runsOf(stand, "chain100", runs);
  return Promise.all(ids.map((run) => hopsOf(stand.database, run)));
}

/** Runs a DAG so many times, one after the other. */
export async function runsOf(stand: Stand, dagId: string, times: number): Promise<number[]> {
  const runs: number[] = [];
  for (let i = 0; i < times; i++) runs.push(...(await stand.run(dagId)));
  return runs;
}

/** Milliseconds of the task alone, in a process that does nothing else: the least of some. */
function fibMs(n: number): number {
  const fib = (k: number): number => (k < 2 ? k : fib(k - 1) + fib(k - 2));
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 10; i++) {
    const before = performance.now();
    fib(n);
    least = Math.min(least, performance.now() - before);
  }
  return least;
}
