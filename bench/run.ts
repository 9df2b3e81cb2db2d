/** `npm run bench -- NAME [options]`: measures, prints a JSON line a figure and a table, and keeps the lines in bench/results. */
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { benchBatch } from "./batch.ts";
import { benchChains } from "./engine/chains.ts";
import { type Figure, tableOf } from "./figure.ts";

/** What can be measured. Each yields its figures as they are known. */
const BENCHMARKS: Readonly<Record<string, (args: readonly string[]) => AsyncGenerator<Figure>>> = {
  batch: benchBatch,
  chains: benchChains,
};

async function main([name = "", ...args]: readonly string[]): Promise<number> {
  const benchmark = BENCHMARKS[name];
  if (!benchmark) {
    process.stderr.write(`USAGE: npm run bench -- ${Object.keys(BENCHMARKS).join("|")} [options]\n`);
    return 2;
  }
  const results = join(import.meta.dirname, "results");
  await mkdir(results, { recursive: true });
  const figures: Figure[] = [];
  const load = await loadAverage();
  for await (const figure of benchmark(args)) {
    const line = JSON.stringify({ at: new Date().toISOString(), ...figure, load: [load, await loadAverage()] });
    process.stdout.write(`${line}\n`);
    await appendFile(join(results, `${name}.jsonl`), `${line}\n`);
    figures.push(figure);
  }
  process.stdout.write(`\n${tableOf(figures)}`);
  return 0;
}

async function loadAverage(): Promise<number> {
  return Number((await readFile("/proc/loadavg", "utf8")).split(" ")[0]);
}

process.exitCode = await main(process.argv.slice(2));
