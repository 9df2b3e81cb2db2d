/** What a scenario is, and what several of them need. */
import type { World } from "./world.ts";

/** What was measured, in milliseconds unless the name says otherwise. */
export type Figures = Readonly<Record<string, number>>;

/** Everything came right, and later than promised. */
export class Late extends Error {
  readonly figures: Figures;

  constructor(figures: Figures) {
    super(`later than promised: ${JSON.stringify(figures)}`);
    this.figures = figures;
  }
}

/** A named fault. Throws when what follows does not. */
export interface Scenario {
  readonly name: string;
  readonly promise: string;
  run(world: World): Promise<Figures>;
}

export const MINUTE = 60_000;

/** Names a fault, as the matrix of docs/reliability.md does. */
export function scenario(name: string, promise: string, run: Scenario["run"]): Scenario {
  return { name, promise, run };
}

/** Waits until the platform works. */
export async function ready(world: World): Promise<void> {
  await world.runEnded(await world.run("quick"), MINUTE);
}

/** Milliseconds from now until the last of some runs has ended. */
export async function allEnded(world: World, runs: readonly number[], withinMs: number): Promise<number> {
  const startedAt = performance.now();
  for (const run of runs) await world.runEnded(run, withinMs);
  return Math.round(performance.now() - startedAt);
}

/** Throws with this sentence unless something holds. */
export function demand(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
