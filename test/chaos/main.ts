/**
 * `npm run chaos -- --faults N [--seed S]`: random faults on real processes, the invariants after every round.
 * `npm run chaos -- --scenario F5`: one named fault; `--scenario all`: every one of them.
 */
import { parseArgs } from "node:util";
import { inflict } from "./random-faults.ts";
import { SCENARIOS } from "./scenarios.ts";
import { World } from "./world.ts";

const { values } = parseArgs({
  options: {
    faults: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    scenario: { type: "string" },
  },
});
if (values.scenario) await runScenarios(values.scenario);
else await runRandom(Number(values.faults), Number(values.seed));

async function runScenarios(wanted: string): Promise<void> {
  const chosen = SCENARIOS.filter(({ name }) => wanted === "all" || wanted === name);
  if (chosen.length === 0)
    throw new Error(`there is no scenario ${wanted}: ${SCENARIOS.map(({ name }) => name).join(" ")}`);
  for (const { name, promise, run } of chosen) {
    const world = await World.start();
    try {
      const figures = await run(world);
      const problems = await world.problems();
      if (problems.length > 0) throw new Error(problems.join("; "));
      console.log(`ok     ${name} ${promise}: ${JSON.stringify(figures)}`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`FAILED ${name} ${promise}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      await world.stop();
    }
  }
}

async function runRandom(faults: number, seed: number): Promise<void> {
  const report = await inflict(faults, seed, (line) => console.log(line));
  console.log(JSON.stringify(report.faults));
  for (const problem of report.problems) console.log(problem);
  const sorted = report.settledMs.toSorted((a, b) => a - b);
  const total = Object.values(report.faults).reduce((sum, n) => sum + n, 0);
  console.log(
    `seed ${seed}: ${total} faults, ${report.runs} runs, ${report.problems.length} problems; settled: median ${sorted[sorted.length >> 1]} ms, longest ${sorted.at(-1)} ms`,
  );
  process.exitCode = report.problems.length === 0 ? 0 : 1;
}
