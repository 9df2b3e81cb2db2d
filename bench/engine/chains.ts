/** chain40, long10, chain100: what a hand-over from one task to the next costs. */
import { type Figure, figure } from "../figure.ts";
import { chain } from "./dag-files.ts";
import { cpuSeconds } from "./processes.ts";
import { firstStartMs, hopsOf, percentiles, runSeconds } from "./readings.ts";
import { Stand } from "./stand.ts";

const WARM_UP_RUNS = 3;
const RUNS = 7;

/** Runs of 40 and 100 no-ops (fib(10)) and of 10 longer tasks (fib(33)), one after another. */
export async function* benchChains(): AsyncGenerator<Figure> {
  const stand = await Stand.open({
    dags: {
      "chain40.ts": chain("chain40", 40, 10),
      "chain100.ts": chain("chain100", 100, 10),
      "long10.ts": chain("long10", 10, 33),
    },
  });
  try {
    yield* chainFigures(stand);
  } finally {
    await stand.close();
  }
}

async function* chainFigures(stand: Stand): AsyncGenerator<Figure> {
  for (let i = 0; i < WARM_UP_RUNS; i++) await stand.run("chain100");
  const chain40 = await runsOf(stand, "chain40", RUNS);
  yield figure("chain40 wall", "s", await Promise.all(chain40.map((run) => runSeconds(stand.database, run))));
  yield figure(
    "trigger to first start",
    "ms",
    await Promise.all(chain40.map((run) => firstStartMs(stand.database, run))),
  );
  const groups = { PostgreSQL: await stand.serverPids(), qflow: await stand.pids() };
  const before = { PostgreSQL: await cpuSeconds(groups.PostgreSQL), qflow: await cpuSeconds(groups.qflow) };
  const hops = await Promise.all((await runsOf(stand, "chain100", RUNS)).map((run) => hopsOf(stand.database, run)));
  yield* percentiles("chain100 hop", "ms", hops);
  for (const name of ["PostgreSQL", "qflow"] as const) {
    const used = (await cpuSeconds(groups[name])) - before[name];
    yield figure(`chain100 CPU a hop, ${name}`, "ms", [(used * 1000) / (RUNS * 100)]);
  }
  const alone = fibMs(33);
  const long10 = await runsOf(stand, "long10", 3);
  const walls = await Promise.all(long10.map((run) => runSeconds(stand.database, run)));
  yield figure(
    "long10 overhead of wall",
    "ms a task",
    walls.map((seconds) => seconds * 100 - alone),
  );
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
