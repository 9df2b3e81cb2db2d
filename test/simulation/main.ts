/** `npm run sim -- --seed N [--count M]`: simulates seeds N, N+1, …; the first that fails is shown with its trace. */
import { parseArgs } from "node:util";
import { sharedPostgres } from "../support/postgres.ts";
import { simulate } from "./seed.ts";
import { withSimulatedServer } from "./with-server.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "1" },
    trace: { type: "boolean", default: false },
  },
});
const [first, count] = [Number(values.seed), Number(values.count)];
let failed = 0;
let steps = 0;
const startedAt = Date.now();
await withSimulatedServer(await sharedPostgres(process.pid), async (server) => {
  for (let seed = first; seed < first + count; seed++) {
    const report = await simulate(server, seed);
    steps += report.steps;
    if (report.problems.length > 0) {
      failed++;
      console.log(`seed ${seed} FAILED after ${report.steps} steps:\n  ${report.problems.join("\n  ")}`);
    }
    if (values.trace) console.log(report.trace.join("\n"));
    const done = seed - first + 1;
    if (done % 100 === 0) console.log(`${done} of ${count} seeds, ${failed} failed, ${seconds()} s`);
  }
});
console.log(`${count} seeds from ${first}: ${failed} failed, ${steps} steps, ${seconds()} s`);
process.exitCode = failed === 0 ? 0 : 1;

function seconds(): string {
  return ((Date.now() - startedAt) / 1000).toFixed(1);
}
