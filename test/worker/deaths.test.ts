import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { findMarked } from "../../src/processes/table.ts";
import { attempts, bench, cancel, deploy, isProcessAlive, logOf, oneTask, runEnd, trigger, until } from "./support.ts";

test("process.exit in a task fails it and says so", async (t) => {
  const { db } = await bench(t);
  await deploy(db, oneTask("exits", 'console.log("last words"); process.exit(3);'));
  const run = await trigger(db, "exits");
  t.is((await runEnd(db, run)).tasks.t, "failed");
  const [attempt] = await attempts(db, run);
  t.is(attempt?.error?.code, "TASK_EXITED");
  t.regex(attempt?.error?.message ?? "", /exit code 3/);
  t.true((await logOf(db, run)).includes("stdout last words"));
});

test("a killed runner is an infrastructure failure: the task is tried again without counting", async (t) => {
  const { db, worker } = await bench(t);
  await deploy(db, oneTask("killed", 'if (ctx.tryNumber === 1) process.kill(process.pid, "SIGKILL"); return 1;'));
  const run = await trigger(db, "killed");
  t.is((await runEnd(db, run)).tasks.t, "success");
  const [first] = await attempts(db, run);
  t.is(first?.error?.message, "killed by signal 9 (likely out of memory)");
  t.truthy(worker.pids.host);
});

test("an error that nobody awaited fails the task; the next one runs in a fresh process", async (t) => {
  const { db } = await bench(t, { QFLOW_RUNNERS: "1" });
  await deploy(
    db,
    oneTask("stray", 'Promise.reject(new Error("forgotten")); await new Promise((next) => setTimeout(next, 5000));'),
  );
  await deploy(db, oneTask("after", "return 1;"));
  const stray = await trigger(db, "stray");
  const after = await trigger(db, "after");
  t.is((await runEnd(db, stray)).tasks.t, "failed");
  t.is((await attempts(db, stray))[0]?.error?.message, "forgotten");
  t.is((await runEnd(db, after)).tasks.t, "success");
});

test("a busy loop is ended by its timeout, from outside", async (t) => {
  const { db } = await bench(t);
  await deploy(db, oneTask("busy", "for (;;);", '{ timeout: "PT0.5S" }'));
  const run = await trigger(db, "busy");
  t.is((await runEnd(db, run)).tasks.t, "failed");
  const [attempt] = await attempts(db, run);
  t.is(attempt?.error?.code, "TASK_TIMEOUT");
  t.true((await logOf(db, run)).some((line) => line.includes("timeout of 0.5 s")));
});

test("a cancelled task ends although it ignores SIGTERM, with its children and a grandchild that left the group", async (t) => {
  const { db, home } = await bench(t);
  const file = join(home, "pids");
  const body = `process.on("SIGTERM", () => {});
    const child = spawn("sleep", ["1000"]);
    const other = spawn("setsid", ["sleep", "1001"], { detached: true, stdio: "ignore" });
    writeFileSync(${JSON.stringify(file)}, [process.pid, child.pid, other.pid].join(" "));
    await new Promise(() => setInterval(() => {}, 1000));`;
  await deploy(db, oneTask("stubborn", body));
  const run = await trigger(db, "stubborn");
  await until(() => existsSync(file) && readFileSync(file, "utf8").split(" ").length === 3);
  await cancel(db, run);
  t.is((await runEnd(db, run)).tasks.t, "failed");
  t.is((await attempts(db, run))[0]?.error?.code, "TASK_CANCELLED");
  const pids = readFileSync(file, "utf8").split(" ").map(Number);
  await until(() => !pids.some(isProcessAlive));
  const [attempt] = await attempts(db, run);
  t.deepEqual(
    (await findMarked("QFLOW_ATTEMPT")).filter((p) => p.environment.get("QFLOW_ATTEMPT") === attempt?.token),
    [],
  );
});

test("a task that notices the aborted signal ends at once", async (t) => {
  const { db } = await bench(t);
  await deploy(
    db,
    oneTask(
      "polite",
      'await new Promise((_, no) => ctx.signal.addEventListener("abort", () => no(ctx.signal.reason)));',
      '{ timeout: "PT0.3S" }',
    ),
  );
  const run = await trigger(db, "polite");
  t.is((await runEnd(db, run)).tasks.t, "failed");
  t.is((await attempts(db, run))[0]?.error?.code, "TASK_TIMEOUT");
});

test("a task that closes its own output ends at once, and the next one has a log again", async (t) => {
  const { db } = await bench(t, { QFLOW_RUNNERS: "1" });
  await deploy(db, oneTask("closes", 'console.log("before"); process.stdout.destroy(); return 1;'));
  await deploy(db, oneTask("speaks", 'console.log("here"); return 1;'));
  const closes = await trigger(db, "closes");
  t.is((await runEnd(db, closes)).state, "success");
  const speaks = await trigger(db, "speaks");
  t.is((await runEnd(db, speaks)).state, "success");
  t.deepEqual(await logOf(db, speaks), ["stdout here"]);
});

test("a stray error of an earlier attempt does not fail the one that runs", async (t) => {
  const { db } = await bench(t, { QFLOW_RUNNERS: "1" });
  await deploy(db, oneTask("leaves", 'setTimeout(() => { throw new Error("late"); }, 300); return process.pid;'));
  await deploy(db, oneTask("innocent", "await new Promise((next) => setTimeout(next, 800)); return process.pid;"));
  const leaves = await trigger(db, "leaves");
  t.is((await runEnd(db, leaves)).state, "success");
  const innocent = await trigger(db, "innocent");
  t.is((await runEnd(db, innocent)).state, "success");
});
