import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import type { Database } from "../../src/metadata/database.ts";
import { queuePokes } from "../../src/metadata/waits.ts";
import { attempts, bench, deploy, logOf, runEnd, states, trigger, until, xcomOf } from "./support.ts";

function sensor(id: string, body: string, options: string): string {
  return `import { dag, Skip } from "qflow";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
export default dag(${JSON.stringify(id)}, {}, (t) => {
  const t1 = t.sensor("t", ${options}, async (inputs, ctx) => { ${body} });
  t.task("after", { in: { t1 } }, ({ t1 }) => t1);
});
`;
}

/** The scheduler's part: calls the sensor again when it is due. */
async function ended(db: Database, run: number) {
  await until(async () => {
    await queuePokes(db);
    return ["success", "failed"].includes((await states(db, run)).state);
  });
  return runEnd(db, run);
}

test("a sensor's function is called until it answers, in one try with one log; its answer is its value", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "qflow-sensor-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const { db } = await bench(t);
  const body = `const n = readdirSync("${folder}").length + 1;
    ctx.log.info("call " + n + " of try " + ctx.tryNumber); console.log("printed " + n);
    writeFileSync("${folder}/" + n, "");
    if (n === 1) return false; if (n === 2) return null; if (n === 3) return; return { n };`;
  await deploy(db, sensor("asks", body, '{ every: "100ms", timeout: "1m" }'));
  const run = await trigger(db, "asks");
  t.deepEqual(await ended(db, run), { state: "success", tasks: { t: "success", after: "success" } });
  t.deepEqual(await xcomOf(db, run, "after"), { n: 4 });
  t.is((await attempts(db, run)).length, 1);
  t.deepEqual(
    await logOf(db, run),
    [1, 2, 3, 4].flatMap((n) => [`info call ${n} of try 1`, `stdout printed ${n}`]),
  );
});

test("a call that is still going on when the timeout comes is stopped, and ends as the sensor says", async (t) => {
  const { db } = await bench(t);
  const body =
    "await new Promise((_, stop) => ctx.signal.addEventListener('abort', () => stop(new Error('stopped'))));";
  await deploy(db, sensor("fails", body, '{ timeout: "300ms", retries: 3 }'));
  await deploy(db, sensor("skips", body, '{ timeout: "300ms", onTimeout: "skip" }'));
  const [fails, skips] = [await trigger(db, "fails"), await trigger(db, "skips")];
  t.deepEqual((await ended(db, fails)).tasks, { t: "failed", after: "upstream_failed" });
  t.is((await attempts(db, fails)).at(-1)?.error?.code, "SENSOR_TIMEOUT");
  t.deepEqual((await ended(db, skips)).tasks, { t: "skipped", after: "skipped" });
});

test("Skip and errors end a call as they end any task", async (t) => {
  const { db } = await bench(t);
  await deploy(db, sensor("skipping", 'throw new Skip("not today");', "{}"));
  await deploy(db, sensor("throwing", 'throw new Error("broken");', "{}"));
  const [skipping, throwing] = [await trigger(db, "skipping"), await trigger(db, "throwing")];
  t.is((await ended(db, skipping)).tasks.t, "skipped");
  t.is((await ended(db, throwing)).tasks.t, "failed");
  t.is((await attempts(db, throwing)).at(-1)?.error?.message, "broken");
});
