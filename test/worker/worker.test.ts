import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import type pg from "pg";
import type { Database } from "../../src/metadata/database.ts";
import { rescueAttempts } from "../../src/metadata/rescue.ts";
import { startWorker } from "../../src/worker/worker.ts";
import { testDatabase } from "../support/database.ts";
import { bench, deploy, logOf, oneTask, runEnd, testConfig, testHome, trigger, xcomOf } from "./support.ts";

test("a task function gets its inputs and context, and its value reaches the next task", async (t) => {
  const { db } = await bench(t);
  const source = `import { dag } from "qflow";
export default dag("chain", {}, (t) => {
  const one = t.task("one", (_, ctx) => { ctx.log.info("hello", { n: 1 }); console.log("printed"); console.error("oops"); return { n: 20 + ctx.tryNumber }; });
  t.task("two", { in: { one } }, ({ one }, ctx) => one.n * 2);
});`;
  await deploy(db, source);
  const run = await trigger(db, "chain");
  t.deepEqual(await runEnd(db, run), { state: "success", tasks: { one: "success", two: "success" } });
  t.is(await xcomOf(db, run, "two"), 42);
  t.deepEqual(await logOf(db, run, "one"), ['info hello {"n":1}', "stdout printed", "error oops"]);
});

test("a task that throws fails with its message, its stack in the log", async (t) => {
  const { db } = await bench(t);
  await deploy(db, oneTask("thrower", 'throw new TypeError("no such thing");'));
  const run = await trigger(db, "thrower");
  t.is((await runEnd(db, run)).state, "failed");
  const log = await logOf(db, run);
  t.true(log.some((line) => line.includes("TypeError: no such thing")));
  t.true(log.some((line) => /^error {5}at /.test(line)));
});

test("what was claimed under a session that is over when the answer comes is not started", async (t) => {
  const db = await testDatabase(t);
  const home = await testHome(t);
  const claimed = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const slow: Database = {
    ...db,
    async query<R extends pg.QueryResultRow>(text: string, values?: unknown[]) {
      const result = await db.query<R>(text, values);
      const { reply } = (result.rows[0] ?? {}) as { reply?: { claimed: unknown[] } };
      if (reply && reply.claimed.length > 0) {
        claimed.resolve();
        await answer.promise;
      }
      return result;
    },
  };
  const over = Promise.withResolvers<void>();
  const warn = (message: string) => void (message.includes("is over") && over.resolve());
  const worker = await startWorker({ database: slow, config: testConfig(home), warn });
  t.teardown(() => worker.stop("now"));
  const file = join(home, "runs");
  await deploy(db, oneTask("late", `(await import("node:fs")).appendFileSync(${JSON.stringify(file)}, "x");`));
  const run = await trigger(db, "late");
  await claimed.promise;
  await db.query("update worker set state = 'lost', ended_at = now()");
  await over.promise;
  await rescueAttempts(db);
  answer.resolve();
  t.is((await runEnd(db, run)).state, "success");
  t.is(await readFile(file, "utf8"), "x");
});
