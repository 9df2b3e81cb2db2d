import test from "ava";
import { attempts, bench, cancel, deploy, logOf, oneTask, runEnd, trigger, until } from "./support.ts";

test.serial("a line of 100 MB is streamed, cut and said to be; what follows is there", async (t) => {
  t.timeout(120_000);
  const { db, worker } = await bench(t);
  const body = `const chunk = Buffer.alloc(1024 * 1024, "x");
    for (let i = 0; i < 100; i++) process.stdout.write(chunk);
    console.log(); ctx.log.info("after"); return process.pid;`;
  await deploy(db, oneTask("long_line", body));
  const before = process.memoryUsage().rss;
  const run = await trigger(db, "long_line");
  t.is((await runEnd(db, run)).state, "success");
  const log = await logOf(db, run);
  t.is(log.length, 2);
  t.regex(log[0] ?? "", /line cut: 10479\d+ more bytes/);
  t.is(log[1], "info after");
  t.true(process.memoryUsage().rss - before < 150 * 1024 * 1024);
  t.truthy(worker.workerId);
});

test("lines of a task are seen while it runs, in order with what its children print", async (t) => {
  const { db } = await bench(t);
  const body = `ctx.log.info("first");
    const child = spawn("sh", ["-c", "echo second; echo problem >&2"], { stdio: "inherit" });
    await new Promise((done) => child.on("exit", done));
    ctx.log.warn("third"); process.stdout.write("no newline");
    await new Promise((done) => ctx.signal.addEventListener("abort", done)); console.log(" … and end");`;
  await deploy(db, oneTask("live", body));
  const run = await trigger(db, "live");
  await until(async () => (await logOf(db, run)).includes("warn third"));
  t.is((await attempts(db, run))[0]?.state, "running");
  const log = await logOf(db, run);
  t.deepEqual(
    log.filter((text) => !text.startsWith("stderr")),
    ["info first", "stdout second", "warn third"],
  );
  t.true(log.includes("stderr problem"));
  await cancel(db, run);
  await runEnd(db, run);
  t.true((await logOf(db, run)).includes("stdout no newline … and end"));
});

test("50,000 lines arrive complete, in order, each once", async (t) => {
  t.timeout(60_000);
  const { db } = await bench(t);
  await deploy(db, oneTask("many", 'for (let i = 0; i < 50000; i++) console.log("line " + i);'));
  const run = await trigger(db, "many");
  t.is((await runEnd(db, run)).state, "success");
  const log = await logOf(db, run);
  t.is(log.length, 50_000);
  t.true(log.every((text, i) => text === `stdout line ${i}`));
});

test("bytes that are no text do no harm", async (t) => {
  const { db } = await bench(t);
  await deploy(
    db,
    oneTask(
      "bytes",
      'process.stdout.write(Buffer.from([0x61, 0xff, 0x00, 0x62, 0x0a])); console.log("\\u001b[1mbold</script>");',
    ),
  );
  const run = await trigger(db, "bytes");
  t.is((await runEnd(db, run)).state, "success");
  t.deepEqual(await logOf(db, run), ["stdout a\ufffd\u2400b", "stdout \u001b[1mbold</script>"]);
});
