import { createServer, type Socket } from "node:net";
import test, { type ExecutionContext } from "ava";
import type { ClaimedTask } from "../../src/metadata/work.ts";
import type { AttemptEnd } from "../../src/worker/executor.ts";
import { HostProcess } from "../../src/worker/host-process.ts";
import { secretsOfEnvironment } from "../../src/worker/secret-store.ts";
import {
  attempts,
  bench,
  cancel,
  deploy,
  isProcessAlive,
  runEnd,
  states,
  testConfig,
  testHome,
  trigger,
  until,
} from "./support.ts";

/** A server that accepts and never says a word: what waits for it waits as long as it may. */
async function silentServer(t: ExecutionContext): Promise<{ port: number; visits: () => number }> {
  const sockets = new Set<Socket>();
  let visits = 0;
  const server = createServer((socket) => {
    visits++;
    sockets.add(socket);
    socket.on("error", () => {});
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return { port: typeof address === "object" && address ? address.port : 0, visits: () => visits };
}

const WAITING = `import { dag } from "qflow";
import { ftpArrivals } from "qflow/operators";
export default dag("waiting", {}, (t) => {
  t.task("t", ftpArrivals({ connection: "silent", dataset: "x", batchFolder: "group{n}", files: { a: "a.csv" } }), { timeout: "PT60S" });
});`;

test("a killed host fails its attempts as infrastructure and another one takes over", async (t) => {
  const server = await silentServer(t);
  const { db, worker } = await bench(t, { QFLOW_CONN_SILENT: `ftp://u:pw@127.0.0.1:${server.port}/` });
  await deploy(db, WAITING);
  const run = await trigger(db, "waiting");
  await until(() => server.visits() === 1);
  const [host] = worker.pids.host;
  process.kill(host ?? 0, "SIGKILL");
  await until(async () => (await states(db, run)).tasks.t === "up_for_retry");
  t.regex((await attempts(db, run))[0]?.error?.message ?? "", /killed by signal 9/);
  await db.query("update task_instance set wake_at = now() where state = 'up_for_retry'");
  const end = runEnd(db, run);
  await until(() => server.visits() === 2);
  t.false(isProcessAlive(host ?? 0));
  await cancel(db, run);
  t.is((await end).tasks.t, "failed");
  t.is((await attempts(db, run))[1]?.error?.code, "TASK_CANCELLED");
});

test("an operator that this qflow does not have fails its task by name", async (t) => {
  const { db } = await bench(t);
  await deploy(
    db,
    `import { dag, defineOperator } from "qflow";
import { z } from "zod";
const teleport = defineOperator("teleport", z.object({ to: z.string() }));
export default dag("unknown_operator", {}, (t) => { t.task("t", teleport({ to: "mars" })); });`,
  );
  const run = await trigger(db, "unknown_operator");
  t.is((await runEnd(db, run)).tasks.t, "failed");
  t.is((await attempts(db, run))[0]?.error?.code, "OPERATOR_UNKNOWN");
});

test("what is stopped while there is no host ends at once and is never started", async (t) => {
  const home = await testHome(t);
  const config = testConfig(home);
  const ended = Promise.withResolvers<AttemptEnd>();
  const warned = Promise.withResolvers<void>();
  const operators = new HostProcess(
    {
      env: config.environment,
      folder: home,
      config,
      secrets: () => secretsOfEnvironment(config),
      databaseUrl: "",
    },
    { line: () => {}, ended: (_attempt, end) => ended.resolve(end), warn: () => warned.resolve() },
  );
  t.teardown(() => operators.close());
  operators.prewarm();
  process.kill(operators.pids[0] ?? 0, "SIGKILL");
  await warned.promise;
  operators.run({ attemptId: "a", token: "t", operator: { name: "unknown", config: {} } } as unknown as ClaimedTask);
  operators.stop("a", "cancelled");
  t.deepEqual(await ended.promise, { died: { code: null, signal: "SIGTERM" } });
});
