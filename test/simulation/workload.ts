/** What the tasks of random DAGs do, and how their runs must end. */
import { setTimeout as sleep } from "node:timers/promises";
import type { TaskContext } from "../../src/dag/operator.ts";
import { Fail, Skip } from "../../src/dag/signals.ts";
import type { DagSpec, Json, TaskSpec } from "../../src/dag/spec.ts";
import { decide, runState } from "../../src/dag/trigger-rules.ts";
import { Topic } from "./messages.ts";
import { randomPieces } from "./pieces.ts";
import { fractionOf, type Random } from "./random.ts";

/**
 * What a task does whenever it runs. `item` succeeds as an item of a map; `flaky` fails at most as often as it is retried; `slow` outlasts its timeout; `ask` is called
 * again and again until what it waits for is there, or never is; `answer` waits for a person.
 */
export type Behaviour =
  | { readonly kind: "succeed" | "item" | "fail" | "skip" | "flaky" | "slow" }
  | { readonly kind: "ask"; readonly calls: number; readonly end: "success" | "failed" | "skipped" }
  | { readonly kind: "answer"; readonly chosen: "approve" | "reject"; readonly end: "success" | "failed" | "skipped" }
  | { readonly kind: "branch"; readonly chosen: string }
  | { readonly kind: "stop"; readonly proceed: boolean }
  | { readonly kind: "list"; readonly size: number };

/** A DAG and the behaviours of its tasks. */
export interface Piece {
  readonly spec: DagSpec;
  readonly behaviours: ReadonlyMap<string, Behaviour>;
}

/** How long a task may take, in seconds; whole ones, so that many end in the same moment. */
const LONGEST_SECONDS = 5;

/** Everything that one seed runs. */
export class Workload {
  readonly pieces: ReadonlyMap<string, Piece>;
  /** What the DAG that messages start reads; null where there is no such DAG. */
  readonly topic: Topic | null;
  /** Runs of which somebody said how they ended, by DAG and run id. */
  readonly declared = new Set<string>();
  /** Runs of which somebody cancelled a single task, by DAG and run id. */
  readonly meddledWith = new Set<string>();
  /** How often somebody asked a run to end, by DAG and run id. */
  readonly cancels = new Map<string, number>();
  /** How often each notification was taken by its channel, by its id. */
  readonly delivered = new Map<number, number>();
  readonly seed: number;
  readonly #counts = new Map<string, number>();

  constructor(seed: number, random: Random, base: Date) {
    this.seed = seed;
    this.pieces = new Map(randomPieces(random, base).map((piece) => [piece.spec.dagId, piece]));
    this.topic = this.pieces.has("listener") ? new Topic(random) : null;
  }

  /** The function of a task: takes a while, then does what its behaviour says. */
  functionOf(dagId: string, taskId: string): (input: unknown, context: TaskContext) => Promise<Json> {
    const piece = this.pieces.get(dagId) as Piece;
    const behaviour = piece.behaviours.get(taskId) ?? { kind: "succeed" };
    return async (_input, context) => {
      if (context.mapIndex <= 0) context.log.info(`try ${context.tryNumber}`);
      const name = `${context.runId}/${taskId}/${context.mapIndex}/${context.tryNumber}`;
      const seconds = Math.floor(fractionOf(this.seed, name) * LONGEST_SECONDS);
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
        const failed = this.#count(`${dagId}/${context.runId}/${taskId}/${context.mapIndex}`);
        if (failed < (spec.tasks.find((task) => task.taskId === taskId)?.retry.retries ?? 0))
          throw new Error("for now");
        return failed;
      }
      case "ask": {
        const calls = this.#count(`${dagId}/${context.runId}/${taskId}`);
        return behaviour.end === "success" && calls >= behaviour.calls;
      }
      case "branch":
        return behaviour.chosen;
      case "stop":
        return behaviour.proceed;
      case "list":
        return Array.from({ length: behaviour.size }, (_, item) => item);
      case "succeed":
      case "item":
      case "answer":
        return 1;
    }
  }

  /** How often something was counted before. */
  #count(name: string): number {
    const before = this.#counts.get(name) ?? 0;
    this.#counts.set(name, before + 1);
    return before;
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
      setups: setupsOf(task, spec, states),
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
  const counting = spec.tasks.filter(({ onFailure }) => onFailure !== "ignore");
  const above = new Set(counting.flatMap(({ upstream }) => upstream));
  const leaves = counting.filter(({ taskId }) => !above.has(taskId));
  return { states: Object.fromEntries(states), run: runState(leaves.flatMap((leaf) => states.get(leaf.taskId) ?? [])) };
}

/** How the setups directly above a task have ended. */
export function setupsOf(
  task: TaskSpec,
  { tasks }: DagSpec,
  states: ReadonlyMap<string, readonly string[]>,
): { total: number; success: number; skipped: number } {
  const setups = tasks.filter(({ role, taskId }) => role === "setup" && task.upstream.includes(taskId));
  const ended = setups.flatMap(({ taskId }) => states.get(taskId) ?? []);
  const count = (state: string) => ended.filter((other) => other === state).length;
  return { total: ended.length, success: count("success"), skipped: count("skipped") };
}

/** The state in which a task ends that was not kept from running. */
export function endOf(behaviour: Behaviour): string {
  if ("end" in behaviour) return behaviour.end;
  const { kind } = behaviour;
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
