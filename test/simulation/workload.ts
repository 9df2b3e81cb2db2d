/** Random DAGs, what their tasks do, and how their runs must end. */
import { setTimeout as sleep } from "node:timers/promises";
import type { TaskContext } from "../../src/dag/operator.ts";
import { Fail, Skip } from "../../src/dag/signals.ts";
import type { DagSpec, Json, TriggerRule } from "../../src/dag/spec.ts";
import { TRIGGER_RULES } from "../../src/dag/spec.ts";
import { decide, EARLY_RULES, runState } from "../../src/dag/trigger-rules.ts";
import { dagSpec, type TaskGiven } from "../metadata/fixtures.ts";
import { fractionOf, type Random } from "./random.ts";

/** What a task does whenever it runs. `flaky` fails at most as often as it is retried; `slow` outlasts its timeout. */
export type Behaviour =
  | { readonly kind: "succeed" | "fail" | "skip" | "flaky" | "slow" }
  | { readonly kind: "branch"; readonly chosen: string }
  | { readonly kind: "stop"; readonly proceed: boolean }
  | { readonly kind: "list"; readonly size: number };

/** A DAG and the behaviours of its tasks. */
export interface Piece {
  readonly spec: DagSpec;
  readonly behaviours: ReadonlyMap<string, Behaviour>;
}

/** Dataset that tasks emit and a consumer waits for. */
const DATASET = "made";
/** How long a task may take, in seconds; whole ones, so that many end in the same moment. */
const LONGEST_SECONDS = 5;

/** Everything that one seed runs. */
export class Workload {
  readonly pieces: ReadonlyMap<string, Piece>;
  readonly #seed: number;
  readonly #failures = new Map<string, number>();

  constructor(seed: number, random: Random, base: Date) {
    this.#seed = seed;
    const pieces = [randomPiece("first", random), ...(random.chance(0.4) ? [randomPiece("second", random)] : [])];
    if (random.chance(0.5)) pieces.push(clockPiece(random, base));
    if (random.chance(0.5)) pieces.push(consumerPiece(random));
    this.pieces = new Map(pieces.map((piece) => [piece.spec.dagId, piece]));
  }

  /** The function of a task: takes a while, then does what its behaviour says. */
  functionOf(dagId: string, taskId: string): (input: unknown, context: TaskContext) => Promise<Json> {
    const piece = this.pieces.get(dagId) as Piece;
    const behaviour = piece.behaviours.get(taskId) ?? { kind: "succeed" };
    return async (_input, context) => {
      if (context.mapIndex <= 0) context.log.info(`try ${context.tryNumber}`);
      const name = `${context.runId}/${taskId}/${context.mapIndex}/${context.tryNumber}`;
      const seconds = Math.floor(fractionOf(this.#seed, name) * LONGEST_SECONDS);
      await sleep(seconds * 1_000, undefined, { signal: context.signal });
      return this.#act(behaviour, piece, { dagId, taskId, context });
    };
  }

  async #act(
    behaviour: Behaviour,
    { spec }: Piece,
    { dagId, taskId, context }: { dagId: string; taskId: string; context: TaskContext },
  ): Promise<Json> {
    switch (behaviour.kind) {
      case "fail":
        throw new Error("as told");
      case "skip":
        throw new Skip("as told");
      case "slow":
        await sleep(3_600_000, undefined, { signal: context.signal });
        throw new Fail("it was to be stopped");
      case "flaky": {
        const name = `${dagId}/${context.runId}/${taskId}/${context.mapIndex}`;
        const failed = this.#failures.get(name) ?? 0;
        this.#failures.set(name, failed + 1);
        if (failed < (spec.tasks.find((task) => task.taskId === taskId)?.retry.retries ?? 0))
          throw new Error("for now");
        return failed;
      }
      case "branch":
        return behaviour.chosen;
      case "stop":
        return behaviour.proceed;
      case "list":
        return Array.from({ length: behaviour.size }, (_, item) => item);
      case "succeed":
        return 1;
    }
  }
}

/** How a run of a piece must end that nobody cancelled: states by task in map order, and the run's. */
export function expectedEnd({ spec, behaviours }: Piece): { states: Record<string, string[]>; run: string } {
  const states = new Map<string, string[]>();
  const skipped = new Set<string>();
  const sizes = new Map<string, number>();
  for (const task of spec.tasks) {
    const ended = task.upstream.flatMap((id) => states.get(id) ?? []);
    const count = (state: string) => ended.filter((other) => other === state).length;
    const decision = decide(task.rule, {
      total: ended.length,
      success: count("success"),
      failed: count("failed"),
      skipped: count("skipped"),
      upstream_failed: count("upstream_failed"),
      skip_requested: skipped.has(task.taskId),
    });
    if (decision !== "run") {
      states.set(task.taskId, [decision]);
      continue;
    }
    const behaviour = behaviours.get(task.taskId) ?? { kind: "succeed" };
    const items = task.mapOver === null ? 1 : (sizes.get(task.mapOver) ?? 0);
    states.set(task.taskId, items === 0 ? ["skipped"] : Array.from({ length: items }, () => endOf(behaviour)));
    sizes.set(task.taskId, behaviour.kind === "list" ? behaviour.size : items);
    for (const id of skippedBy(task.taskId, behaviour, spec)) skipped.add(id);
  }
  const leaves = spec.tasks.filter((task) => task.downstream.length === 0);
  return { states: Object.fromEntries(states), run: runState(leaves.flatMap((leaf) => states.get(leaf.taskId) ?? [])) };
}

function endOf({ kind }: Behaviour): string {
  if (kind === "fail" || kind === "slow") return "failed";
  return kind === "skip" ? "skipped" : "success";
}

function skippedBy(taskId: string, behaviour: Behaviour, spec: DagSpec): string[] {
  const direct = spec.tasks.find((task) => task.taskId === taskId)?.downstream ?? [];
  if (behaviour.kind === "stop") return behaviour.proceed ? [] : direct.flatMap((id) => [id, ...below(id, spec)]);
  if (behaviour.kind !== "branch") return [];
  const kept = new Set([behaviour.chosen, ...below(behaviour.chosen, spec)]);
  return direct.filter((id) => !kept.has(id));
}

function below(taskId: string, spec: DagSpec): string[] {
  const direct = spec.tasks.find((task) => task.taskId === taskId)?.downstream ?? [];
  return direct.flatMap((id) => [id, ...below(id, spec)]);
}

function randomPiece(dagId: string, random: Random): Piece {
  const behaviours = new Map<string, Behaviour>();
  const tasks: TaskGiven[] = [];
  const decides = random.chance(0.4);
  // Whether an early rule sees a success before a branch skips the task depends on who is faster.
  const rules = TRIGGER_RULES.filter((rule) => !decides || !EARLY_RULES.has(rule));
  const size = 3 + random.int(6);
  // Wide DAGs have much that is ready at once, deep ones much that follows.
  const density = random.pick([0.05, 0.15, 0.3, 0.5]);
  const narrow = random.pick([0.2, 0.5, 1]);
  for (let i = 0; i < size; i++) {
    const id = `t${i}`;
    const upstream = tasks.filter(() => random.chance(density)).map((task) => task.id);
    tasks.push(randomTask(id, { upstream, behaviours, random, rules, decides, narrow }));
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
  const limits = { maxActiveRuns: 1 + random.int(3), maxActiveTasks: 2 + random.int(6) };
  return { spec: dagSpec(dagId, tasks, limits), behaviours };
}

interface TaskChoice {
  upstream: string[];
  behaviours: Map<string, Behaviour>;
  random: Random;
  rules: readonly TriggerRule[];
  decides: boolean;
  /** Chance that a task is of the pool that all share. */
  narrow: number;
}

function randomTask(id: string, { upstream, behaviours, random, rules, decides, narrow }: TaskChoice): TaskGiven {
  const common: TaskGiven = {
    id,
    upstream,
    rule: random.chance(0.6) ? "all_success" : random.pick(rules),
    ...(random.chance(narrow) ? { pool: "narrow", poolSlots: random.chance(0.7) ? 1 : 2 } : {}),
    ...(random.chance(0.3) ? { emits: [DATASET] } : {}),
    ...(random.chance(0.2) ? { maxActive: 1 } : {}),
    ...(random.chance(0.2) ? { kind: "operator" as const, operator: { name: "noop", config: {} } } : {}),
    priority: random.int(3),
  };
  const list = upstream.find((name) => ["list"].includes(behaviours.get(name)?.kind ?? ""));
  if (list && random.chance(0.8)) {
    behaviours.set(id, { kind: random.pick(["succeed", "succeed", "flaky", "fail"]) });
    return {
      ...common,
      ...retried(1),
      kind: "map",
      operator: null,
      mapOver: list,
      inputs: { item: list },
      rule: "all_success",
    };
  }
  if (decides && random.chance(0.4)) {
    if (random.chance(0.5)) return { ...common, kind: "branch", operator: null };
    behaviours.set(id, { kind: "stop", proceed: random.chance(0.5) });
    return { ...common, kind: "shortCircuit", operator: null };
  }
  if (random.chance(0.25)) {
    behaviours.set(id, { kind: "list", size: random.int(4) });
    return { ...common, kind: "function", operator: null };
  }
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
  return { ...common, ...retried(retries), ...(kind === "slow" ? { timeoutMs: 1_000 + random.int(3_000) } : {}) };
}

function retried(retries: number): Pick<TaskGiven, "retry"> {
  return { retry: { retries, delayMs: 2_000, factor: 2, maxMs: 10_000, jitter: "full" } };
}

/** A DAG of the clock: a tick a minute, a few of them in the past, none after the second minute. */
function clockPiece(random: Random, base: Date): Piece {
  const at = (minutes: number) => new Date(base.getTime() + minutes * 60_000).toISOString();
  const spec = dagSpec("clock", [{ id: "tick" }, { id: "tock", upstream: ["tick"] }], {
    schedule: {
      kind: random.pick(["cron", "cronInterval"]),
      expression: "* * * * *",
      timezone: random.pick(["UTC", "Europe/Berlin"]),
    },
    start: at(-random.int(4)),
    end: at(2),
    catchup: random.pick(["all", "all", "latest", "none"]),
    maxActiveRuns: 1 + random.int(2),
  });
  return { spec, behaviours: new Map() };
}

function consumerPiece(random: Random): Piece {
  const spec = dagSpec("consumer", [{ id: "take" }], {
    schedule: { kind: "datasets", condition: { dataset: DATASET }, consume: random.pick(["each", "pending"]) },
    maxActiveRuns: 1 + random.int(2),
  });
  return { spec, behaviours: new Map() };
}
