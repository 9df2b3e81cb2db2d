import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { sharedPostgres } from "../support/postgres.ts";
import { randomFrom } from "./random.ts";
import { simulate } from "./seed.ts";
import { installVirtualTime, VirtualTime } from "./virtual-time.ts";
import { withSimulatedServer } from "./with-server.ts";

test.serial("timers of an owner fire when its time comes, those of others in real time", async (t) => {
  installVirtualTime();
  const time = new VirtualTime(randomFrom(1));
  const woken: number[] = [];
  time.run({ name: "one" }, () => void sleep(60_000).then(() => woken.push(performance.now())));
  await sleep(1);
  t.deepEqual(woken, []);
  time.now = 60_000;
  for (const timer of time.due()) timer.fire();
  await sleep(1);
  t.deepEqual(woken, [60_000]);
});

test.serial(
  "the database's functions see virtual time, and the same seed takes the same steps until a lock is handed on",
  async (t) => {
    await withSimulatedServer(await sharedPostgres(), async (server) => {
      const first = await simulate(server, 7);
      const second = await simulate(server, 7);
      t.deepEqual(first.problems, []);
      t.deepEqual(untilHandedOn(second.trace), untilHandedOn(first.trace));
      const real = await server.watch.query(
        "select from task_attempt where started_at > pg_catalog.now() - interval '1 hour'",
      );
      t.is(real.rowCount, 0);
    });
  },
);

/** Which of several waiters gets a lock next is the server's choice, and ids, which differ between runs, have a part in it. */
function untilHandedOn(trace: readonly string[]): string[] {
  const at = trace.findIndex((line) => line.includes("got its lock"));
  return trace.slice(0, at < 0 ? trace.length : at);
}
