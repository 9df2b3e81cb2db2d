/** `npm run bench -- NAME [options]`: measures, prints a JSON line a figure and a table, and keeps the lines in bench/results. */
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { benchBatch } from "./batch.ts";
import { chains } from "./engine/chains.ts";
import { coldstart } from "./engine/coldstart.ts";
import { fans } from "./engine/fans.ts";
import { fleet100, fleet1000 } from "./engine/fleets.ts";
import { history } from "./engine/history.ts";
import { idle } from "./engine/idle.ts";
import { large } from "./engine/large.ts";
import { limits } from "./engine/limits.ts";
import { punctual } from "./engine/punctual.ts";
import { benchRows, type Row } from "./engine/row.ts";
import { type Figure, tableOf } from "./figure.ts";
import { benchPeers } from "./peers/index.ts";
import { writeReport } from "./report.ts";
import { benchStream } from "./stream.ts";

/** The rows of the engine, in an order in which none disturbs the next. */
const ENGINE: Readonly<Record<string, Row>> = {
  limits,
  chains,
  fan: fans,
  fleet100,
  punctual,
  idle,
  coldstart,
  fleet1000,
  large,
  history,
};

/** What can be measured. Each yields its figures as they are known. */
const BENCHMARKS: Readonly<Record<string, (args: readonly string[]) => AsyncGenerator<Figure>>> = {
  batch: benchBatch,
  engine: () => benchEngine(),
  peers: benchPeers,
  stream: benchStream,
  ...Object.fromEntries(Object.entries(ENGINE).map(([name, row]) => [name, () => benchRows([row])])),
};

/** Every row of the engine; one at rest and those with 1,000 DAGs have an installation of their own. */
async function* benchEngine(): AsyncGenerator<Figure> {
  yield* benchRows([limits, chains, fans, fleet100, punctual, coldstart]);
  yield* benchRows([idle]);
  yield* benchRows([fleet1000]);
  yield* benchRows([large]);
  yield* benchRows([history]);
}

async function main([name = "", ...args]: readonly string[]): Promise<number> {
  if (name === "report") {
    process.stdout.write(`${await writeReport()} figures in docs/benchmarks.md\n`);
    return 0;
  }
  const benchmark = BENCHMARKS[name];
  if (!benchmark) {
    process.stderr.write(`USAGE: npm run bench -- ${[...Object.keys(BENCHMARKS), "report"].join("|")} [options]\n`);
    return 2;
  }
  const results = join(import.meta.dirname, "results");
  await mkdir(results, { recursive: true });
  const figures: Figure[] = [];
  const load = await loadAverage();
  for await (const figure of benchmark(args)) {
    const line = JSON.stringify({ at: new Date().toISOString(), ...figure, load: [load, await loadAverage()] });
    process.stdout.write(`${line}\n`);
    await appendFile(join(results, `${Object.hasOwn(ENGINE, name) ? "engine" : name}.jsonl`), `${line}\n`);
    figures.push(figure);
  }
  process.stdout.write(`\n${tableOf(figures)}`);
  return 0;
}

async function loadAverage(): Promise<number> {
  return Number((await readFile("/proc/loadavg", "utf8")).split(" ")[0]);
}

process.exitCode = await main(process.argv.slice(2));
