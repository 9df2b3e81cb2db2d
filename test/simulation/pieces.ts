/** Random DAGs: what a seed makes of every kind of schedule, limit and wait. */
import { type DagSpec, TRIGGER_RULES, type TriggerRule } from "../../src/dag/spec.ts";
import { EARLY_RULES } from "../../src/dag/trigger-rules.ts";
import { dagSpec, type TaskGiven } from "../metadata/fixtures.ts";
import { listenerPiece } from "./messages.ts";
import type { Random } from "./random.ts";
import { Setups } from "./setups.ts";
import { randomWait, waiterPiece } from "./waiting.ts";
import type { Behaviour, Piece } from "./workload.ts";

/** Dataset that tasks emit and a consumer waits for. */
const DATASET = "made";

/** The DAGs of one seed. */
export function randomPieces(random: Random, base: Date): Piece[] {
  const pieces = [randomPiece("first", random, base)];
  if (random.chance(0.4)) pieces.push(randomPiece("second", random, base));
  if (random.chance(0.5)) pieces.push(...clockPieces(random, base));
  if (random.chance(0.5)) pieces.push(consumerPiece(random));
  if (random.chance(0.3)) pieces.push(waiterPiece());
  if (random.chance(0.3)) pieces.push(listenerPiece(random));
  return pieces;
}

function randomPiece(dagId: string, random: Random, base: Date): Piece {
  const behaviours = new Map<string, Behaviour>();
  const tasks: TaskGiven[] = [];
  const decides = random.chance(0.4);
  // Whether an early rule sees a success before a branch skips the task depends on who is faster.
  const rules = TRIGGER_RULES.filter((rule) => !decides || !EARLY_RULES.has(rule));
  const size = 3 + random.int(6);
  // Wide DAGs have much that is ready at once, deep ones much that follows.
  const density = random.pick([0.05, 0.15, 0.3, 0.5]);
  const narrow = random.pick([0.2, 0.5, 1]);
  const waits = random.pick([0, 0, 0.3]);
  const setups = new Setups(random);
  for (let i = 0; i < size; i++) {
    const id = `t${i}`;
    const upstream = tasks.filter(() => random.chance(density)).map((task) => task.id);
    const role = setups.next(id, size - 1 - i);
    tasks.push(randomTask(id, { upstream, role, behaviours, random, base, rules, decides, narrow, waits }));
  }
  const branches = tasks.filter(({ kind }) => kind === "branch");
  for (const branch of branches) {
    const direct = tasks.filter((task) => task.upstream?.includes(branch.id)).map((task) => task.id);
    if (direct.length > 0) behaviours.set(branch.id, { kind: "branch", chosen: random.pick(direct) });
    else {
      Object.assign(branch, { kind: "function" });
      behaviours.set(branch.id, { kind: "succeed" });
    }
  }
  return { spec: dagSpec(dagId, tasks, randomLimits(random)), behaviours };
}

/** Limits of a DAG, whom it tells, and by when its runs should have ended. */
function randomLimits(random: Random): Partial<DagSpec> {
  return {
    maxActiveRuns: 1 + random.int(3),
    maxActiveTasks: 2 + random.int(6),
    ...(random.chance(0.1) ? { timeoutMs: 5_000 + random.int(30_000) } : {}),
    ...(random.chance(0.2) ? { concurrency: { key: "runs", limit: 1 + random.int(2) } } : {}),
    ...(random.chance(0.3)
      ? { notify: [{ on: ["taskFailed", "taskRetry", "runFailed", "runSucceeded"], to: ["ops"] }] }
      : {}),
    ...(random.chance(0.2)
      ? { deadline: { afterMs: 1_000 + random.int(30_000), from: "queued", notify: ["boss"] } }
      : {}),
  };
}

interface TaskChoice {
  upstream: string[];
  /** What it is for, where it is not work. */
  role: Partial<TaskGiven> | null;
  behaviours: Map<string, Behaviour>;
  random: Random;
  base: Date;
  rules: readonly TriggerRule[];
  decides: boolean;
  /** Chance that a task is of the pool that all share. */
  narrow: number;
  /** Chance that a task waits. */
  waits: number;
}

function randomTask(id: string, choice: TaskChoice): TaskGiven {
  const { upstream, behaviours, random, rules, narrow, waits } = choice;
  const common: TaskGiven = {
    id,
    upstream,
    rule: random.chance(0.6) ? "all_success" : random.pick(rules),
    ...(random.chance(narrow) ? { pool: "narrow", poolSlots: random.chance(0.7) ? 1 : 2 } : {}),
    ...(random.chance(0.3) ? { emits: [DATASET] } : {}),
    ...(random.chance(0.2) ? { maxActive: 1 } : {}),
    ...(random.chance(0.2) ? { concurrency: { key: "tasks", limit: 1 + random.int(2) } } : {}),
    ...(random.chance(0.2) ? { kind: "operator" as const, operator: { name: "noop", config: {} } } : {}),
    priority: random.int(3),
  };
  if (choice.role !== null) {
    const above = [...new Set([...upstream, ...(choice.role.upstream ?? [])])];
    return { ...common, ...ordinary(id, choice), ...choice.role, upstream: above };
  }
  const mapped = randomMap(common, choice);
  if (mapped) return mapped;
  if (random.chance(waits)) {
    const { behaviour, ...given } = randomWait(random, choice.base);
    behaviours.set(id, behaviour);
    return { ...common, ...given };
  }
  if (choice.decides && random.chance(0.4)) {
    if (random.chance(0.5)) return { ...common, kind: "branch", operator: null };
    behaviours.set(id, { kind: "stop", proceed: random.chance(0.5) });
    return { ...common, kind: "shortCircuit", operator: null };
  }
  if (random.chance(0.25)) {
    behaviours.set(id, { kind: "list", size: random.int(4) });
    return { ...common, kind: "function", operator: null };
  }
  return { ...common, ...ordinary(id, choice) };
}

/** A map over a list, or, item by item, over a map whose items all succeed. */
function randomMap(common: TaskGiven, { upstream, behaviours, random }: TaskChoice): TaskGiven | null {
  const { id } = common;
  const kindOf = (name: string) => behaviours.get(name)?.kind;
  const list = upstream.find((name) => kindOf(name) === "list");
  const over = list ?? upstream.find((name) => kindOf(name) === "item");
  if (over === undefined || !random.chance(0.8)) return null;
  behaviours.set(id, { kind: list ? random.pick(["item", "item", "flaky", "fail"]) : random.pick(["item", "flaky"]) });
  const map: TaskGiven = { ...common, ...retried(1), kind: "map", operator: null, mapOver: over, rule: "all_success" };
  // Whether one that follows another has items when a third upstream fails depends on who is faster.
  return list ? { ...map, inputs: { item: list } } : { ...map, upstream: [over] };
}

function ordinary(id: string, { behaviours, random }: TaskChoice): Partial<TaskGiven> {
  const kind = random.pick([
    "succeed",
    "succeed",
    "succeed",
    "succeed",
    "fail",
    "skip",
    "flaky",
    "flaky",
    "slow",
  ] as const);
  behaviours.set(id, { kind });
  const retries = kind === "flaky" ? 1 + random.int(2) : random.int(2);
  return { ...retried(retries), ...(kind === "slow" ? { timeoutMs: 1_000 + random.int(3_000) } : {}) };
}

function retried(retries: number): Pick<TaskGiven, "retry"> {
  return { retry: { retries, delayMs: 2_000, factor: 2, maxMs: 10_000, jitter: "full" } };
}

/**
 * A DAG of the clock: a tick a minute, a few of them in the past, none after the second minute. Beside it, now and then, one that
 * waits for its runs, of the same ticks.
 */
function clockPieces(random: Random, base: Date): Piece[] {
  const at = (minutes: number) => new Date(base.getTime() + minutes * 60_000).toISOString();
  const catchup = random.pick(["all", "all", "latest", "none"] as const);
  const given: Partial<DagSpec> = {
    schedule: {
      kind: random.pick(["cron", "cronInterval"]),
      expression: "* * * * *",
      timezone: random.pick(["UTC", "Europe/Berlin"]),
    },
    // Dates that the schedule passes over are those of backfills.
    start: at(-random.int(catchup === "all" ? 4 : 9)),
    end: at(2),
    catchup,
    maxActiveRuns: 1 + random.int(2),
  };
  const tasks: TaskGiven[] = [{ id: "tick" }, { id: "tock", upstream: ["tick"] }];
  const clock = { spec: dagSpec("clock", tasks, given), behaviours: new Map() };
  if (catchup !== "all" || random.chance(0.6)) return [clock];
  const config = { dag: "clock", task: "tick", states: ["success"], failOn: ["failed"] };
  const wait: TaskGiven = {
    id: "wait",
    kind: "sensor",
    operator: { name: "task_sensor", config },
    sensor: { everyMs: 5_000, factor: 1, maxMs: 5_000, onTimeout: "fail" },
    timeoutMs: 400_000,
  };
  const follower = dagSpec("follower", [wait, { id: "then", upstream: ["wait"] }], { ...given, maxActiveRuns: 3 });
  return [clock, { spec: follower, behaviours: new Map() }];
}

function consumerPiece(random: Random): Piece {
  const spec = dagSpec("consumer", [{ id: "take" }], {
    schedule: { kind: "datasets", condition: { dataset: DATASET }, consume: random.pick(["each", "pending"]) },
    maxActiveRuns: 1 + random.int(2),
  });
  return { spec, behaviours: new Map() };
}
