/** Rounds of random faults: some runs, some faults while they go on, then a time without faults, then the invariants. */
import { setTimeout as sleep } from "node:timers/promises";
import { findMarked } from "../../src/processes/table.ts";
import { type Random, randomFrom } from "../simulation/random.ts";
import { exitOf, type Member, World } from "./world.ts";

/** What came of a number of faults. */
export interface ChaosReport {
  readonly faults: Readonly<Record<string, number>>;
  readonly runs: number;
  readonly problems: readonly string[];
  /** Milliseconds from the last fault of each round until every run had ended. */
  readonly settledMs: readonly number[];
}

/** One kind of fault, and how often it is chosen. */
interface Fault {
  readonly name: string;
  readonly weight: number;
  inflict(world: World, random: Random): Promise<void>;
}

const FAULTS: readonly Fault[] = [
  { name: "scheduler killed", weight: 3, inflict: (world, random) => replace(world, "scheduler", random) },
  { name: "worker killed", weight: 3, inflict: (world, random) => replace(world, "worker", random) },
  { name: "scheduler suspended", weight: 2, inflict: (world, random) => suspend(world, "scheduler", random) },
  { name: "worker suspended", weight: 2, inflict: (world, random) => suspend(world, "worker", random) },
  { name: "worker drained", weight: 1, inflict: drain },
  { name: "runner killed", weight: 2, inflict: killRunner },
  { name: "connections ended", weight: 3, inflict: (world) => world.terminateBackends() },
  { name: "PostgreSQL crashed", weight: 1, inflict: async (world) => void (await world.restartPostgres()) },
  {
    name: "answer lost",
    weight: 3,
    inflict: async (world) => {
      world.proxy.mode = { loseAnswerOf: "finish_and_claim" };
    },
  },
  { name: "connections reset", weight: 2, inflict: async (world) => world.proxy.reset() },
  {
    name: "black hole",
    weight: 1,
    inflict: async (world, random) => {
      world.proxy.mode = { blackHole: true };
      await sleep(300 + random.int(2_000));
      world.proxy.mode = {};
      world.proxy.reset();
    },
  },
  {
    name: "slow network",
    weight: 1,
    inflict: async (world, random) => {
      world.proxy.mode = { lateMs: 50 + random.int(200) };
      await sleep(1_500);
      world.proxy.mode = {};
    },
  },
];

/** Inflicts at least `count` faults, in rounds of ten, and tells of every round. */
export async function inflict(count: number, seed: number, tell: (line: string) => void): Promise<ChaosReport> {
  const random = randomFrom(seed);
  const faults: Record<string, number> = {};
  const problems: string[] = [];
  const settledMs: number[] = [];
  const world = await World.start();
  let runs = 0;
  try {
    for (const through of ["direct", "proxy"] as const) {
      world.scheduler(through);
      world.worker("", through);
    }
    for (let done = 0; done < count && problems.length === 0; ) {
      const round = await play(world, random, faults);
      done += round.faults;
      runs += round.runs;
      settledMs.push(round.settledMs);
      problems.push(...(await world.problems()));
      tell(`${done} faults, ${runs} runs, settled in ${round.settledMs} ms, ${problems.length} problems`);
    }
  } finally {
    await world.stop();
  }
  return { faults, runs, problems, settledMs };
}

async function play(world: World, random: Random, counts: Record<string, number>) {
  const made: number[] = [];
  const wanted = 6 + random.int(8);
  for (let i = 0; i < wanted; i++) {
    if (i % 3 === 0) made.push(await world.run(random.pick(["mixed", "mixed", "again"])));
    const fault = choose(random);
    counts[fault.name] = (counts[fault.name] ?? 0) + 1;
    await fault.inflict(world, random);
    await sleep(random.int(1_200));
  }
  world.proxy.mode = {};
  for (const member of world.members) member.child.kill("SIGCONT");
  const startedAt = performance.now();
  for (const run of made) await world.runEnded(run, 120_000);
  // What a killed process left is swept a moment later.
  await sleep(500);
  return { faults: wanted, runs: made.length, settledMs: Math.round(performance.now() - startedAt) };
}

function choose(random: Random): Fault {
  const all = FAULTS.flatMap((fault) => Array.from({ length: fault.weight }, () => fault));
  return random.pick(all);
}

function memberOf(world: World, kind: Member["kind"], random: Random): Member {
  return random.pick([...world.members].filter((member) => member.kind === kind));
}

function another(world: World, kind: Member["kind"], random: Random): void {
  const through = random.chance(0.5) ? "proxy" : "direct";
  if (kind === "scheduler") world.scheduler(through);
  else world.worker("", through);
}

async function replace(world: World, kind: Member["kind"], random: Random): Promise<void> {
  const member = memberOf(world, kind, random);
  another(world, kind, random);
  await world.kill(member);
}

async function suspend(world: World, kind: Member["kind"], random: Random): Promise<void> {
  const { child } = memberOf(world, kind, random);
  child.kill("SIGSTOP");
  // Now and then longer than a lease.
  await sleep(random.chance(0.1) ? 22_000 : 200 + random.int(3_000));
  child.kill("SIGCONT");
}

async function drain(world: World, random: Random): Promise<void> {
  const { child } = memberOf(world, "worker", random);
  another(world, "worker", random);
  child.kill("SIGTERM");
  await sleep(300);
  child.kill("SIGTERM");
  await Promise.race([exitOf(child), sleep(20_000)]);
}

async function killRunner(world: World, random: Random): Promise<void> {
  const found = await findMarked("QFLOW_WORKER");
  const own = found.filter(({ environment }) => environment.get("QFLOW_INSTANCE") === `test-${world.home}`);
  if (own.length > 0) process.kill(random.pick(own).pid, "SIGKILL");
}
