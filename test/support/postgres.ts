/**
 * One embedded PostgreSQL for all test files of a run. The first file that asks starts a host process (`postgres-host.ts`),
 * which lives exactly as long as the test runner: it watches the runner's pid, so that a kill -9 of anything leaves nothing.
 */
import { spawn } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identify } from "../../src/processes/table.ts";

/** What the host publishes when it is ready, or why it is not. */
export interface SharedPostgres {
  /** URL of the maintenance database. */
  readonly url: string;
  /** Database with every migration applied, to be cloned. */
  readonly template: string;
  readonly error?: string;
}

/** File in the run's folder in which the host publishes. */
export const STATE_FILE = "state.json";

/** Prefix of the folders of test runs in the temporary folder; the pid and start time of the runner follow. */
export const FOLDER_PREFIX = "qflow-test-";

const START_TIMEOUT_MS = 120_000;

/** The server of a test run, started when nobody has asked yet; it lives as long as the process `runnerPid`. */
export async function sharedPostgres(runnerPid = process.ppid): Promise<SharedPostgres> {
  const runner = await identify(runnerPid);
  if (runner === null) throw new Error("the test runner is gone");
  const folder = join(tmpdir(), `${FOLDER_PREFIX}${runner.pid}-${runner.startedAt}`);
  // Making the folder is the lock: exactly one test file succeeds and starts the host.
  const first = await mkdir(folder, { mode: 0o755 }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
      return false;
    },
  );
  if (first) {
    const host = join(import.meta.dirname, "postgres-host.ts");
    const args = [host, folder, String(runner.pid), String(runner.startedAt)];
    spawn(process.execPath, args, { detached: true, stdio: "ignore" }).unref();
  }
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const text = await readFile(join(folder, STATE_FILE), "utf8").catch(() => null);
    if (text !== null) return JSON.parse(text) as SharedPostgres;
    await sleep(50);
  }
  throw new Error(`the shared PostgreSQL did not start within ${START_TIMEOUT_MS / 1000} s: see ${folder}`);
}
