/**
 * `npm run chaos -- --faults N [--seed S]`: random faults on real processes, the invariants after every round; a line for every
 * hundred is added to bench/results/chaos.jsonl, under the seeds S, S+1, …
 * `npm run chaos -- --scenario F5 [--times N]`: one named fault, N times; `--scenario all`: every one of them.
 */
import { appendFile, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { figure } from "../../bench/figure.ts";
import { PLACE_SCENARIOS } from "./place-scenarios.ts";
import { inflict } from "./random-faults.ts";
import { type Figures, Late, type Scenario } from "./scenario.ts";
import { PROCESS_SCENARIOS } from "./scenarios.ts";
import { TASK_SCENARIOS } from "./task-scenarios.ts";
import { World } from "./world.ts";

const SCENARIOS = [...PROCESS_SCENARIOS, ...TASK_SCENARIOS, ...PLACE_SCENARIOS];

const PORTION = 100;
const RESULTS = resolve(import.meta.dirname, "../../bench/results");

const { values } = parseArgs({
  options: {
    faults: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    scenario: { type: "string" },
    times: { type: "string", default: "1" },
  },
});
if (values.scenario) await runScenarios(values.scenario, Number(values.times));
else await runRandom(Number(values.faults), Number(values.seed));

async function runScenarios(wanted: string, times: number): Promise<void> {
  const chosen = SCENARIOS.filter(({ name }) => wanted === "all" || wanted === name);
  if (chosen.length === 0)
    throw new Error(`there is no scenario ${wanted}: ${SCENARIOS.map(({ name }) => name).join(" ")}`);
  for (const one of chosen) {
    const seen: Figures[] = [];
    for (let i = 0; i < times; i++) seen.push(...(await play(one)));
    if (times > 1) for (const line of summaries(one.name, seen)) console.log(line);
  }
}

/** Figures of a scenario on a platform of its own; none where it failed otherwise than by being late. */
async function play({ name, promise, run }: Scenario): Promise<Figures[]> {
  const world = await World.start();
  try {
    const figures = await run(world);
    const problems = await world.problems();
    if (problems.length > 0) throw new Error(problems.join("; "));
    console.log(`ok     ${name} ${promise}: ${JSON.stringify(figures)}`);
    return [figures];
  } catch (error) {
    process.exitCode = 1;
    console.log(`FAILED ${name} ${promise}: ${error instanceof Error ? error.message : String(error)}`);
    return error instanceof Late ? [error.figures] : [];
  } finally {
    await world.stop();
  }
}

function summaries(name: string, seen: readonly Figures[]): string[] {
  return Object.keys(seen[0] ?? {}).map((key) => {
    const { n, median, max } = figure(
      key,
      "",
      seen.map((figures) => figures[key] ?? Number.NaN),
    );
    return `${name} ${key}: median ${median}, max ${max}, n ${n}`;
  });
}

/** In portions, each a seed and a platform of its own: what ended before an interruption is kept. */
async function runRandom(faults: number, first: number): Promise<void> {
  for (let seed = first, left = faults; left > 0; seed++) {
    const report = await inflict(Math.min(left, PORTION), seed, (line) => console.log(line));
    const total = Object.values(report.faults).reduce((sum, n) => sum + n, 0);
    left -= total;
    const kept = { at: new Date().toISOString(), seed, total, ...report };
    await mkdir(RESULTS, { recursive: true });
    await appendFile(join(RESULTS, "chaos.jsonl"), `${JSON.stringify(kept)}\n`);
    const sorted = report.settledMs.toSorted((a, b) => a - b);
    for (const problem of report.problems) console.log(problem);
    console.log(
      `seed ${seed}: ${total} faults, ${report.runs} runs, ${report.problems.length} problems; settled: median ${sorted[sorted.length >> 1]} ms, longest ${sorted.at(-1)} ms; ${Math.max(0, left)} faults left`,
    );
    if (report.problems.length > 0) process.exitCode = 1;
  }
}
