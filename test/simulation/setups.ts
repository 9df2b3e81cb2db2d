/** Setups and teardowns among the tasks of a random DAG. */
import { TEARDOWN_RULE } from "../../src/dag/spec.ts";
import type { TaskGiven } from "../metadata/fixtures.ts";
import type { Random } from "./random.ts";

/** Decides, task by task, which make something for others and which take it away again. */
export class Setups {
  readonly #random: Random;
  readonly #chance: number;
  /** Setups that have no teardown yet. */
  #open: string[] = [];

  constructor(random: Random) {
    this.#random = random;
    this.#chance = random.pick([0, 0.3, 0.3]);
  }

  /** What the next task is for where it is not work; `left` tasks follow it. */
  next(id: string, left: number): Partial<TaskGiven> | null {
    const random = this.#random;
    if (this.#open.length > 0 && (left === 0 || random.chance(this.#chance))) {
      const upstream = this.#open;
      this.#open = [];
      return {
        role: "teardown",
        rule: TEARDOWN_RULE,
        upstream,
        ...(random.chance(0.7) ? { onFailure: "ignore" as const } : {}),
      };
    }
    if (left === 0 || !random.chance(this.#chance)) return null;
    this.#open.push(id);
    return { role: "setup" };
  }
}
