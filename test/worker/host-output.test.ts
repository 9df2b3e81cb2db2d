import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import test from "ava";

const HOST = resolve(import.meta.dirname, "../../src/worker/host-main.ts");

test("a host whose reader is gone ends: what it cannot write does not become more to write", async (t) => {
  t.timeout(60_000);
  const host = spawn(process.execPath, [HOST], { stdio: ["ignore", "ignore", "pipe", "ipc"], detached: true });
  t.teardown(() => host.kill("SIGKILL"));
  await once(host, "spawn");
  // Not initialised, so that its end meets an error it has to tell; nobody can hear it.
  host.stderr?.destroy();
  const ended = once(host, "exit");
  host.disconnect();
  await ended;
  t.pass();
});
