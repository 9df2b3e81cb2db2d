import test from "ava";
import { dag } from "../../src/dag/dag.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { httpSensor } from "../../src/operators/index.ts";
import { deploy, statesOf } from "../metadata/fixtures.ts";
import { httpServer, json } from "../support/http-server.ts";
import { bench, logOf, waitOf, xcomOf } from "./wait-bench.ts";

test("a server is asked until it answers as wished; a value can fail the wait at once", async (t) => {
  const { db, settle, due } = await bench(t);
  let state = "running";
  const { origin } = await httpServer(t, {
    "/job": (request, response) => json({ job: { state } })(request, response),
    "/starting": (_, response) => response.writeHead(502).end("<html>"),
  });
  const spec = dag("d", {}, (d) => {
    const done = { at: "/job/state", is: ["done"], failOn: ["dead"] };
    d.sensor("done", httpSensor({ url: `${origin}/job`, json: done }));
    d.sensor("dead", httpSensor({ url: `${origin}/job`, json: { at: "/job/state", is: ["never"], failOn: ["done"] } }));
    d.sensor("up", httpSensor({ url: `${origin}/starting` }));
    d.sensor("any", httpSensor({ url: `${origin}/starting`, expect: [502] }));
  }).spec;
  await deploy(db, spec);
  const run = await createRun(db, { dagId: "d", by: "test" });
  await settle();
  state = "done";
  await due();
  await settle();
  t.deepEqual((await statesOf(db, run.id)).tasks, { done: "success", dead: "failed", up: "deferred", any: "success" });
  t.is(await xcomOf(db, "done"), "done");
  t.is(await xcomOf(db, "any"), 502);
  t.deepEqual(await logOf(db, "done"), [
    `waits for ${origin}/job to answer as wished at "/job/state"`,
    `${origin}/job has "running" at "/job/state"`,
    (await logOf(db, "done")).at(-1),
  ]);
  t.is((await waitOf(db))?.note, `${origin}/starting answered 502`);
});

test("a server that hangs takes its own places only", async (t) => {
  const { db, look } = await bench(t, { share: 2 });
  const slow = await httpServer(t, { "/": () => {} });
  const fast = await httpServer(t, { "/": json("ok") });
  const spec = dag("d", {}, (d) => {
    for (let i = 0; i < 10; i++) d.sensor(`slow${i}`, httpSensor({ url: `${slow.origin}/`, timeoutSeconds: 30 }));
    d.sensor("fast", httpSensor({ url: `${fast.origin}/` }));
  }).spec;
  await deploy(db, spec);
  const run = await createRun(db, { dagId: "d", by: "test" });
  while ((await statesOf(db, run.id)).tasks.fast !== "success") await look.once();
  t.is(slow.seen.length, 2);
});

test("a check that does not come to an end is given up in time, and made again later", async (t) => {
  const { db, settle } = await bench(t, { checkMs: 100 });
  const { origin } = await httpServer(t, { "/": () => {} });
  const spec = dag("d", {}, (d) => {
    d.sensor("slow", httpSensor({ url: `${origin}/`, timeoutSeconds: 30 }));
  }).spec;
  await deploy(db, spec);
  await createRun(db, { dagId: "d", by: "test" });
  await settle();
  const wait = await waitOf(db);
  t.regex(wait?.note ?? "", /the check failed: .*timeout/);
  t.is(wait?.polls, 1);
});

test("the secret of a connection reaches the server, and nothing that is kept about the wait", async (t) => {
  const secret = "tok3n-of-the-server";
  const server = await httpServer(t, { "/echo": ({ headers }, response) => json(headers)(null as never, response) });
  const { db, settle } = await bench(t, {
    connection: async (id) => ({
      id,
      kind: "http",
      host: "127.0.0.1",
      port: server.port,
      user: "",
      password: "",
      path: "",
      options: { token: secret },
    }),
  });
  const wanted = { connection: "c", path: "/echo" };
  const spec = dag("d", {}, (d) => {
    d.sensor("waits", httpSensor({ ...wanted, json: { at: "/authorization", is: ["never"] } }));
    d.sensor("fails", httpSensor({ ...wanted, json: { at: "/authorization", failOn: [`Bearer ${secret}`] } }));
  }).spec;
  await deploy(db, spec);
  await createRun(db, { dagId: "d", by: "test" });
  await settle();
  t.is(server.seen[0]?.headers.authorization, `Bearer ${secret}`);
  t.regex((await waitOf(db))?.note ?? "", /has "Bearer \*\*\*" at/);
  const error = await db.query("select error from task_attempt where error is not null");
  t.is(error.rows[0]?.error.code, "SENSOR_FAILED");
  const kept = [await logOf(db, "waits"), await logOf(db, "fails"), error.rows, (await waitOf(db))?.note];
  t.false(JSON.stringify(kept).includes(secret));
});

test("checks under way when the scheduler stops are given back at once", async (t) => {
  const { db, look } = await bench(t);
  const { origin, seen } = await httpServer(t, { "/": () => {} });
  const spec = dag("d", {}, (d) => {
    d.sensor("slow", httpSensor({ url: `${origin}/` }));
  }).spec;
  await deploy(db, spec);
  await createRun(db, { dagId: "d", by: "test" });
  while (seen.length === 0) await look.once();
  await look.stop();
  const wait = await db.query("select wake_at <= now() as due, lease, polls from task_wait");
  t.deepEqual(wait.rows, [{ due: true, lease: null, polls: 0 }]);
});
