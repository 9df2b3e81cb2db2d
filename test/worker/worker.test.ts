import test from "ava";
import { bench, deploy, logOf, oneTask, runEnd, trigger, xcomOf } from "./support.ts";

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
