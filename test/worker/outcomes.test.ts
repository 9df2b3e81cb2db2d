import test from "ava";
import { attempts, bench, deploy, logOf, oneTask, runEnd, trigger, xcomOf } from "./support.ts";

test("a result that is not JSON fails the task and names the path", async (t) => {
  const { db } = await bench(t);
  await deploy(db, oneTask("not_json", "return { rows: [{ at: new Date(0) }] };"));
  const run = await trigger(db, "not_json");
  t.is((await runEnd(db, run)).state, "failed");
  const [attempt] = await attempts(db, run);
  t.is(attempt?.error?.code, "RESULT_NOT_JSON");
  t.regex(attempt?.error?.message ?? "", /value\.rows\[0\]\.at is an instance of Date/);
});

test("Skip skips, Fail fails without another try, a retry gets the next number", async (t) => {
  const { db } = await bench(t);
  await deploy(db, oneTask("skips", 'throw new Skip("nothing to do");'));
  await deploy(db, oneTask("fails", 'throw new Fail("for good");', '{ retries: 3, retryDelay: "PT0.01S" }'));
  await deploy(
    db,
    oneTask(
      "retries",
      'if (ctx.tryNumber < 3) throw new Error("again"); return ctx.tryNumber;',
      '{ retries: 3, retryDelay: "PT0.01S" }',
    ),
  );
  const [skips, fails, retries] = [
    await trigger(db, "skips"),
    await trigger(db, "fails"),
    await trigger(db, "retries"),
  ];
  t.is((await runEnd(db, skips)).tasks.t, "skipped");
  t.is((await runEnd(db, fails)).tasks.t, "failed");
  t.is((await attempts(db, fails)).length, 1);
  t.is((await runEnd(db, retries)).tasks.t, "success");
  t.is(await xcomOf(db, retries), 3);
});

test("every item of a map is an instance; their values arrive in order", async (t) => {
  const { db } = await bench(t);
  await deploy(
    db,
    `import { dag } from "qflow";
export default dag("maps", {}, (t) => {
  const list = t.task("list", () => [3, 1, 2]);
  const each = t.map("each", list, (n, ctx) => n * 10 + ctx.mapIndex);
  t.task("sum", { in: { each } }, ({ each }) => each);
});`,
  );
  const run = await trigger(db, "maps");
  t.is((await runEnd(db, run)).state, "success");
  t.deepEqual(await xcomOf(db, run, "sum"), [30, 11, 22]);
});

test("a branch runs what it chose; an unknown choice fails it and names the choice", async (t) => {
  const { db } = await bench(t);
  await deploy(
    db,
    `import { dag } from "qflow";
const make = (id, choice) => dag(id, {}, (t) => {
  const a = t.task("a", () => 1);
  const pick = t.branch("pick", { in: { a } }, () => choice);
  t.task("left", { after: [pick] }, () => 1);
  t.task("right", { after: [pick] }, () => 1);
});
export const good = make("branch_good", "left");
export const bad = make("branch_bad", "nowhere");
export const odd = make("branch_odd", 7);
`,
  );
  const good = await trigger(db, "branch_good");
  t.deepEqual((await runEnd(db, good)).tasks, { a: "success", pick: "success", left: "success", right: "skipped" });
  for (const id of ["branch_bad", "branch_odd"]) {
    const run = await trigger(db, id);
    t.is((await runEnd(db, run)).tasks.pick, "failed");
    t.regex((await attempts(db, run, "pick"))[0]?.error?.message ?? "", id === "branch_bad" ? /nowhere/ : /7/);
  }
});

test("a short circuit that returns false skips everything below; anything but a boolean fails it", async (t) => {
  const { db } = await bench(t);
  await deploy(
    db,
    `import { dag } from "qflow";
const make = (id, go) => dag(id, {}, (t) => {
  const gate = t.shortCircuit("gate", {}, () => go);
  const next = t.task("next", { after: [gate] }, () => 1);
  t.task("last", { after: [next] }, () => 1);
});
export const no = make("gate_no", false);
export const odd = make("gate_odd", "yes");
`,
  );
  const no = await trigger(db, "gate_no");
  t.deepEqual((await runEnd(db, no)).tasks, { gate: "success", next: "skipped", last: "skipped" });
  const odd = await trigger(db, "gate_odd");
  t.is((await runEnd(db, odd)).tasks.gate, "failed");
  t.is((await attempts(db, odd, "gate"))[0]?.error?.code, "BRANCH_INVALID");
});

test("a declared dataset gets an event on success; one that was emitted gets no second", async (t) => {
  const { db } = await bench(t);
  await deploy(
    db,
    oneTask(
      "emits",
      'ctx.emit("a", { key: "k", extra: { n: 1 } }); ctx.emit("a", { key: "k" });',
      '{ emits: ["a", "b"] }',
    ),
  );
  await runEnd(db, await trigger(db, "emits"));
  const events = await db.query("select dataset, extra from dataset_event order by id");
  t.deepEqual(events.rows, [
    { dataset: "a", extra: { n: 1 } },
    { dataset: "b", extra: null },
  ]);
});

test("a connection's password reaches neither log nor failure in any form", async (t) => {
  const { db } = await bench(t, { QFLOW_CONN_FTP_Q: "ftp://bob:s3cr%2Ft%20pass@localhost:21/x" });
  const body = `const { password } = ctx.connection("ftp_q");
    ctx.log.info("plain " + password, { password });
    console.log(encodeURIComponent(password), Buffer.from("bob:" + password).toString("base64"), Buffer.from(password).toString("hex"));
    process.stdout.write(password.slice(0, 5)); process.stdout.write(password.slice(5) + "\\n");
    throw new Error("cannot log in with " + password);`;
  await deploy(db, oneTask("leaky", body));
  const run = await trigger(db, "leaky");
  await runEnd(db, run);
  const secret = "s3cr/t pass";
  const all = [...(await logOf(db, run)), JSON.stringify(await attempts(db, run))].join("\n");
  t.false(all.includes(secret));
  t.false(all.includes(encodeURIComponent(secret)));
  t.false(all.includes(Buffer.from(secret).toString("base64").slice(2, 10)));
  t.false(all.includes(Buffer.from(secret).toString("hex")));
  t.regex(all, /cannot log in with \*\*\*/);
});

test("an unknown connection is named", async (t) => {
  const { db } = await bench(t);
  await deploy(db, oneTask("unknown", 'ctx.connection("nope");'));
  const run = await trigger(db, "unknown");
  await runEnd(db, run);
  t.is((await attempts(db, run))[0]?.error?.code, "CONNECTION_UNKNOWN");
});
