/** Processes of a worker whose worker is gone before they have come up. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { findMarked } from "../../src/processes/table.ts";
import { monotonicMs } from "../../src/worker/services/guard-protocol.ts";
import { testHome } from "./support.ts";

function orphan(t: ExecutionContext, module: string, worker: string, said: object[]): ChildProcess {
  const path = join(import.meta.dirname, "../../src/worker", module);
  const env = { PATH: process.env.PATH, QFLOW_WORKER: worker };
  const child = fork(path, [], { detached: true, stdio: ["ignore", "inherit", "inherit", "ipc"], env });
  t.teardown(() => child.kill("SIGKILL"));
  for (const message of said) child.send(message);
  child.disconnect();
  return child;
}

test("a host ends all that carries the worker's mark", async (t) => {
  const home = await testHome(t);
  const left = spawn("sleep", ["1000"], { stdio: "ignore", env: { PATH: process.env.PATH, QFLOW_WORKER: home } });
  t.teardown(() => left.kill("SIGKILL"));
  await Promise.all([once(orphan(t, "host-main.ts", home, []), "exit"), once(left, "exit")]);
  t.pass();
});

for (const title of ["said nothing", "has told it to start"]) {
  test(`a guard whose worker ${title} ends, and leaves nothing`, async (t) => {
    const marker = { name: "QFLOW_ATTEMPT", value: await testHome(t) };
    const env = { PATH: process.env.PATH, [marker.name]: marker.value };
    const what = { type: "start", file: "sleep", args: ["1000"], env, cwd: "/", marker };
    const start = { ...what, trustedUntil: monotonicMs() + 1_000_000 };
    await once(orphan(t, "services/guard-main.ts", "none", title === "said nothing" ? [] : [start]), "exit");
    const left = (await findMarked(marker.name)).filter((one) => one.environment.get(marker.name) === marker.value);
    t.deepEqual(left, []);
  });
}
