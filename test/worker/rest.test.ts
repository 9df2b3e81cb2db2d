import test from "ava";
import { bench, deploy, isProcessAlive, runEnd, trigger, until } from "./support.ts";

const TEXT = `import { dag } from "qflow";
import { shell } from "qflow/operators";
export default dag("resting", {}, (t) => {
  t.task("fn", () => {});
  t.task("op", shell({ command: ["true"] }));
});`;

test("a worker has no children before its first task, and none a while after the last", async (t) => {
  const { db, worker } = await bench(t);
  t.deepEqual(worker.pids, { host: [], runners: [] });
  await deploy(db, TEXT);
  const run = await trigger(db, "resting");
  t.deepEqual((await runEnd(db, run)).tasks, { fn: "success", op: "success" });
  const pids = [...worker.pids.host, ...worker.pids.runners];
  t.true(pids.length >= 2);
  worker.rest(60_000);
  t.true(pids.every(isProcessAlive));
  worker.rest(0);
  // The worker hears of an end a little after it.
  await until(() => !pids.some(isProcessAlive) && worker.pids.host.length + worker.pids.runners.length === 0);
  const again = await trigger(db, "resting");
  t.deepEqual((await runEnd(db, again)).tasks, { fn: "success", op: "success" });
});
