/**
 * Gates: tasks that must have ended before another one is decided, beyond what its trigger rule waits for. With them, how a run
 * ends never depends on which of its tasks was first.
 */

import type { TaskSpec } from "./spec.ts";
import { EARLY_RULES } from "./trigger-rules.ts";

/** Gates by index of the task they hold up; tasks without one are left out. */
export type Gates = ReadonlyMap<number, readonly number[]>;

/**
 * A task waits for every branch directly above it and every short circuit anywhere above it, which may skip it: where its rule
 * or a task in between could be decided before they are. A map waits for the array it maps over. `tasks` are in the order of
 * {@link TaskSpec.index}.
 */
export function gatesOf(tasks: readonly TaskSpec[]): Gates {
  const indexOf = new Map(tasks.map((task) => [task.taskId, task.index]));
  const stops = new ShortCircuits(tasks);
  const gates = new Map<number, readonly number[]>();
  // Short circuits above each task, and those of them that may still run when the task has ended.
  const above: Bits[] = [];
  const open: Bits[] = [];
  for (const task of tasks) {
    const upstream = task.upstream.map((id) => tasks[indexOf.get(id) as number] as TaskSpec);
    const branches = upstream.filter(({ kind }) => kind === "branch");
    const stoppers = stops.none();
    const loose = stops.none();
    for (const one of upstream) {
      stops.add(stoppers, above[one.index] as Bits, one);
      stops.add(loose, open[one.index] as Bits);
    }
    const isEarly = EARLY_RULES.has(task.rule);
    const isAlways = task.rule === "always";
    const waits = new Set<number>();
    if (!isAlways) {
      for (const index of stops.indexes(isEarly ? stoppers : loose)) waits.add(index);
      if (isEarly) for (const { index } of branches) waits.add(index);
    }
    if (task.mapOver !== null && isEarly) waits.add(indexOf.get(task.mapOver) as number);
    if (waits.size > 0) gates.set(task.index, [...waits]);
    above.push(stoppers);
    // A branch may skip the task while a short circuit higher up still runs.
    open.push(isAlways || branches.length > 0 ? stoppers : stops.none());
  }
  return gates;
}

type Bits = Uint32Array;

/** Sets of a DAG's short circuits, one bit each. */
class ShortCircuits {
  readonly #tasks: readonly number[];
  readonly #bitOf: ReadonlyMap<number, number>;
  readonly #none: Bits;

  constructor(tasks: readonly TaskSpec[]) {
    this.#tasks = tasks.filter(({ kind }) => kind === "shortCircuit").map(({ index }) => index);
    this.#bitOf = new Map(this.#tasks.map((index, bit) => [index, bit]));
    this.#none = new Uint32Array(Math.ceil(this.#tasks.length / 32));
  }

  none(): Bits {
    return this.#none.length === 0 ? this.#none : new Uint32Array(this.#none.length);
  }

  /** Adds `others` to `set`, and `task` where it is a short circuit. */
  add(set: Bits, others: Bits, task?: TaskSpec): void {
    for (const [i, word] of others.entries()) set[i] = (set[i] as number) | word;
    const bit = task === undefined ? undefined : this.#bitOf.get(task.index);
    if (bit !== undefined) set[bit >>> 5] = (set[bit >>> 5] as number) | (1 << (bit & 31));
  }

  indexes(set: Bits): number[] {
    return this.#tasks.filter((_, bit) => ((set[bit >>> 5] as number) >>> (bit & 31)) & 1);
  }
}
