/**
 * `npm run sim -- --seed N [--count M] [--done FILE]`: simulates seeds N, N+1, …; those that fail are told as they do.
 * With `--done` each seed leaves a line in FILE, and those that have one are passed over: a long run goes on where it was ended.
 */
import { appendFile, readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { sharedPostgres } from "../support/postgres.ts";
import { type SeedReport, simulate } from "./seed.ts";
import { withSimulatedServer } from "./with-server.ts";

/** A line of the file that `--done` names. */
interface DoneSeed {
  readonly seed: number;
  readonly steps: number;
  readonly problems: readonly string[];
}

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "1" },
    done: { type: "string" },
    trace: { type: "boolean", default: false },
  },
});
const [first, count] = [Number(values.seed), Number(values.count)];
const done = await seedsIn(values.done);
const startedAt = Date.now();
const left = Array.from({ length: count }, (_, i) => first + i).filter((seed) => !done.has(seed));
await withSimulatedServer(await sharedPostgres(process.pid), async (server) => {
  for (const [i, seed] of left.entries()) {
    await keep(await simulate(server, seed));
    if ((i + 1) % 100 === 0) console.log(`${count - left.length + i + 1} of ${count} seeds, ${summary()}`);
  }
});
console.log(`${count} seeds from ${first}: ${summary()}`);
process.exitCode = failed().length === 0 ? 0 : 1;

async function seedsIn(file: string | undefined): Promise<Map<number, DoneSeed>> {
  if (file === undefined) return new Map();
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  const lines = text.split("\n").filter((line) => line !== "");
  const seeds = lines.map((line) => JSON.parse(line) as DoneSeed);
  return new Map(seeds.filter(({ seed }) => seed >= first && seed < first + count).map((one) => [one.seed, one]));
}

async function keep({ seed, steps, problems, trace }: SeedReport): Promise<void> {
  done.set(seed, { seed, steps, problems });
  if (values.done !== undefined) await appendFile(values.done, `${JSON.stringify({ seed, steps, problems })}\n`);
  if (problems.length > 0) console.log(`seed ${seed} FAILED after ${steps} steps:\n  ${problems.join("\n  ")}`);
  if (values.trace) console.log(trace.join("\n"));
}

function failed(): DoneSeed[] {
  return [...done.values()].filter(({ problems }) => problems.length > 0);
}

function summary(): string {
  const steps = [...done.values()].reduce((sum, one) => sum + one.steps, 0);
  return `${failed().length} failed, ${steps} steps, ${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
}
