// What an attempt does with an application of an earlier one, before a ResourceManager that is made here; no Spark is started.
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { AttemptStopped, type StopCause } from "../../src/operators/attempt-stopped.ts";
import { contentWithin } from "../../src/operators/spark/driver-log.ts";
import { exitCodeIn } from "../../src/operators/spark/on-yarn.ts";
import { run } from "../../src/operators/spark-submit.run.ts";
import { sparkSubmitSchema } from "../../src/operators/spark-submit.ts";
import { httpServer } from "../support/http-server.ts";
import { operatorContext } from "../support/operator-context.ts";

const ID = "application_1_0001";
const TOKEN = "0123456789abcdef";
const CONFIG = sparkSubmitSchema.parse({ application: "absent.py", master: "yarn", deployMode: "cluster" });

/** A ResourceManager with one application, whose states follow each other, one an answer. */
async function world(t: ExecutionContext, states: string[], more: { why?: StopCause; over?: boolean } = {}) {
  const home = await mkdtemp(join(tmpdir(), "qflow-yarn-"));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  await mkdir(join(home, "tmp/yarn", TOKEN), { recursive: true });
  await writeFile(join(home, "tmp/yarn", TOKEN, "result.json"), '{"rows":1}');
  let state = "";
  const app = (host?: string) => {
    state = states.shift() ?? state;
    const finalStatus = state === "FINISHED" ? "SUCCEEDED" : state === "KILLED" ? "KILLED" : "UNDEFINED";
    return { id: ID, state, finalStatus, amContainerLogs: `http://${host}/node/containerlogs/c_1/root` };
  };
  const rm_ = await httpServer(t, {
    "/ws/v1/cluster/apps": (request, response) =>
      response.end(JSON.stringify({ apps: request.url.includes(TOKEN) ? { app: [app(request.headers.host)] } : null })),
    [`/ws/v1/cluster/apps/${ID}`]: (request, response) =>
      response.end(JSON.stringify({ app: app(request.headers.host) })),
    [`/ws/v1/cluster/apps/${ID}/state`]: (_request, response) => {
      states.splice(0, states.length, "KILLED");
      response.writeHead(202).end('{"state":"RUNNING"}');
    },
    "/ws/v1/node/containerlogs/c_1/stdout": (_request, response) =>
      response.end("Container: c_1\nLogContents:\nhello\nlast words\nEnd of LogType:stdout\n*****\n"),
  });
  const abort = new AbortController();
  if (more.why) abort.abort(new AttemptStopped(more.why));
  const connection = { id: "yarn_default", kind: "http", host: "127.0.0.1", port: rm_.port, user: "", password: "" };
  const { context, recorded } = operatorContext({
    home,
    database: {} as never,
    connections: [{ ...connection, path: "/", options: {} }],
    signal: abort.signal,
    previousHandle: {
      ...{ kind: "spark", session: "yarn", token: TOKEN, name: "demo.task", process: null, applicationId: ID },
      ...(more.over ? { over: true } : {}),
    },
  });
  const outcome = await run(CONFIG, context).then(
    (value) => ({ value, error: null }),
    (error: Error & { code?: string }) => ({ value: null, error }),
  );
  const killed = rm_.seen.some(({ method }) => method === "PUT");
  const folder = await stat(join(home, "tmp/yarn", TOKEN)).catch(() => null);
  return { outcome, recorded, killed, folder, log: recorded.lines.map(({ message }) => message) };
}

test("an application that still runs is gone on with: its log, its result, its end", async (t) => {
  const { outcome, log, killed, recorded, folder } = await world(t, ["RUNNING", "RUNNING", "FINISHED"]);
  t.deepEqual(outcome, { value: { rows: 1 }, error: null });
  t.deepEqual(log.slice(-2), ["hello", "last words"]);
  t.false(killed);
  t.is(folder, null);
  t.like(recorded.handles.at(-1) as object, { token: TOKEN, over: true });
});

test("one that succeeded while nobody looked is not run again", async (t) => {
  const { outcome } = await world(t, ["FINISHED"]);
  t.deepEqual(outcome.value, { rows: 1 });
});

test("one whose end an attempt has seen is submitted anew", async (t) => {
  const { outcome } = await world(t, ["FINISHED"], { over: true });
  t.regex(outcome.error?.message ?? "", /there is no application/, "it came to the submission");
});

test("one that was killed is submitted anew", async (t) => {
  const { outcome } = await world(t, ["RUNNING", "KILLED"]);
  t.regex(outcome.error?.message ?? "", /there is no application/);
});

for (const why of ["cancelled", "timeout", "fenced"] as const) {
  test(`an attempt that is stopped (${why}) kills its application`, async (t) => {
    const { outcome, killed, folder } = await world(t, ["RUNNING"], { why });
    t.true(killed);
    t.is(folder, null);
    t.is(outcome.error?.message, `the attempt was stopped: ${why}`);
  });
}

for (const why of ["shutdown", "orphaned"] as const) {
  test(`where only the worker goes (${why}) the application stays`, async (t) => {
    const { outcome, killed, folder } = await world(t, ["RUNNING"], { why });
    t.false(killed);
    t.not(folder, null, "its result has to go somewhere");
    t.true(outcome.error instanceof AttemptStopped);
  });
}

test("the exit code of the program is in what YARN says", (t) => {
  t.is(exitCodeIn("User application exited with status 3"), 3);
  t.is(exitCodeIn("User application exited with 12 and more"), 12);
  t.is(exitCodeIn("Max number of executor failures (3) reached"), null);
});

test("a log comes without the NodeManager's frame", (t) => {
  t.is(contentWithin("LogType:stdout\nLogContents:\na\nb\nEnd of LogType:stdout.This log\n****\n\n"), "a\nb");
  t.is(contentWithin("plain"), "plain");
});

test("what cannot be is refused", (t) => {
  const parse = (more: object) => sparkSubmitSchema.safeParse({ application: "a.py", ...more }).success;
  t.true(parse({ master: "yarn", deployMode: "cluster" }));
  t.false(parse({ master: "yarn" }));
  t.false(parse({ deployMode: "cluster" }));
  t.false(parse({ master: "yarn", deployMode: "cluster", session: "warm" }));
});
