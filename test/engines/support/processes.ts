/** Real processes and folders for the tests of engines. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ExecutionContext } from "ava";

/** An empty folder that everybody may enter, gone after the test. */
export async function temporaryFolder(t: Pick<ExecutionContext, "teardown">): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "qflow-engines-")));
  await chmod(folder, 0o755);
  t.teardown(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Polls until the condition holds. Throws after `timeoutMs`. */
export async function until(condition: () => Promise<boolean> | boolean, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`the condition did not hold within ${timeoutMs} ms`);
    await sleep(30);
  }
}

/** Runs the text of an ES module in a Node of its own, killed after the test. */
export function spawnNode(t: Pick<ExecutionContext, "teardown">, text: string): ChildProcess {
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", text], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  t.teardown(() => {
    child.kill("SIGKILL");
  });
  return child;
}
