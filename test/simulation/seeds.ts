/** Seeds as tests: in portions, so that a run shows how far it is. */
import test from "ava";
import { sharedPostgres } from "../support/postgres.ts";
import { simulate } from "./seed.ts";
import { withSimulatedServer } from "./with-server.ts";

const PORTION = 25;
/** Far more than a portion takes on a busy machine. */
const PATIENCE_MS = 600_000;

/** Registers the seeds from `first` on. */
export function testSeeds(first: number, count: number): void {
  for (let from = first; from < first + count; from += PORTION) {
    test.serial(
      `seeds ${from} to ${from + PORTION - 1}: everything comes to its end and every invariant holds`,
      async (t) => {
        t.timeout(PATIENCE_MS);
        await withSimulatedServer(await sharedPostgres(), async (server) => {
          for (let seed = from; seed < from + PORTION; seed++) {
            const { problems } = await simulate(server, seed);
            t.deepEqual(problems, [], `npm run sim -- --seed ${seed} --trace`);
          }
        });
      },
    );
  }
}
