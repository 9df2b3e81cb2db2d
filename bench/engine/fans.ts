/** fan200 and 10,000 mapped items: how many tasks a second when many are ready at once. */
import { type Figure, figure } from "../figure.ts";
import { runsOf } from "./chains.ts";
import { fan, mapped } from "./dag-files.ts";
import { wallOf } from "./readings.ts";
import type { Row } from "./row.ts";
import type { Stand } from "./stand.ts";

/** 1 → 200 → 1, and 1 → 10,000 mapped items → 1. */
export const fans: Row = {
  dags: { "fan200.ts": fan("fan200", 200), "mapped10000.ts": mapped("mapped10000", 10_000) },
  async *measure(stand) {
    await stand.unpause("fan200");
    await stand.unpause("mapped10000");
    await runsOf(stand, "fan200", 2);
    yield* throughput(stand, "fan200", 5);
    yield* throughput(stand, "mapped10000", 3);
  },
};

/** Wall time and tasks a second of runs of everything that matches the pattern, from the first start to the last end. */
export async function* throughput(stand: Stand, pattern: string, times: number): AsyncGenerator<Figure> {
  const walls = [];
  for (let i = 0; i < times; i++) walls.push(await wallOf(stand.database, await stand.run(pattern)));
  const name = pattern.replace(/_%$/, "");
  const seconds = walls.map((wall) => wall.seconds);
  yield figure(`${name} wall`, "s", seconds);
  const rates = walls.map((wall) => wall.tasks / wall.seconds);
  yield figure(`${name} throughput`, "tasks/s", rates);
}
