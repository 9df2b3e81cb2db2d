/**
 * `npm run soak -- --minutes N [--home FOLDER]`: a light load for a long time. A line a minute of what it uses goes to
 * bench/results/soak.jsonl; ends with 1 when something grows or an invariant breaks. With a folder, whose database is kept, a soak
 * that was interrupted goes on where it was.
 */
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { deploy } from "../worker/support.ts";
import { growthOf, type Reading, readingOf } from "./soak-readings.ts";
import { World } from "./world.ts";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "30" }, home: { type: "string" } } });
const RESULTS = resolve(import.meta.dirname, "../../bench/results");

/** Ticks with a consumer, a sensor that is asked a few times, a map with a reader. */
const LOAD = `import { dag, dataset, every, onDatasets } from "qflow";
const made = dataset("soak.made");
export const ticks = dag("ticks", { schedule: every("2s"), start: "2026-01-01", catchup: "latest", maxActiveRuns: 5 }, (t) => {
  const make = t.task("make", () => Array.from({ length: 5 }, (_, i) => i));
  const each = t.map("each", make, (item, ctx) => { ctx.log.info("item " + item); return item * 2; });
  t.task("sum", { in: { each }, emits: [made] }, ({ each }) => each.reduce((a, b) => a + b, 0));
});
export const taken = dag("taken", { schedule: onDatasets(made), maxActiveRuns: 5 }, (t) => {
  t.task("take", { retries: 1, retryDelay: "100ms" }, (_, ctx) => { if (ctx.tryNumber === 1 && Math.random() < 0.2) throw new Error("as told"); return 1; });
});
export const asked = dag("asked", { schedule: every("10s"), start: "2026-01-01", catchup: "latest", maxActiveRuns: 5 }, (t) => {
  const there = t.sensor("there", { every: "1s", timeout: "1m" }, () => Math.random() < 0.4);
  t.task("then", { after: [there] }, () => 1);
});
`;

await soak(Number(values.minutes), values.home);

async function soak(minutes: number, home: string | undefined): Promise<void> {
  await mkdir(RESULTS, { recursive: true });
  const file = join(RESULTS, "soak.jsonl");
  const world = await World.start(home && resolve(home));
  const startedAt = await startOf(world.home);
  const readings = await earlier(file, startedAt);
  const interrupted = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupted.resolve());
  try {
    await deploy(world.db, LOAD);
    for (let i = 0; i < 2; i++) world.scheduler();
    world.worker();
    while (readings.length < minutes) {
      const stopped = await Promise.race([sleep(60_000, "no"), interrupted.promise.then(() => "yes")]);
      if (stopped === "yes") return;
      const reading = { soak: startedAt, minute: readings.length + 1, ...(await readingOf(world)) };
      readings.push(reading);
      await appendFile(file, `${JSON.stringify(reading)}\n`);
      console.log(JSON.stringify(reading));
    }
  } finally {
    await world.stop();
  }
  const problems = [...growthOf(readings), ...readings.flatMap((reading) => reading.problems)];
  for (const problem of problems) console.log(problem);
  console.log(`${readings.length} minutes, ${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

/** When the soak of this folder began first, which is its name. */
async function startOf(home: string): Promise<string> {
  const file = join(home, "soak");
  const known = await readFile(file, "utf8").catch(() => null);
  if (known !== null) return known;
  const now = new Date().toISOString();
  await writeFile(file, now);
  return now;
}

/** The readings of a soak that was interrupted. */
async function earlier(file: string, startedAt: string): Promise<Reading[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  const lines = text.split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Reading).filter((reading) => reading.soak === startedAt);
}
