/** Real engines for tests, in a QFLOW_HOME of their own that goes with the test. */
import { chmod, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ExecutionContext } from "ava";
import { type Config, loadConfig } from "../../src/config.ts";
import {
  type EngineEvent,
  type EngineName,
  engineStatus,
  enginesFor,
  progressOn,
  type RunningEngines,
  startEngines,
} from "../../src/engines/index.ts";

/** Engines that run for a test. */
export interface TestEngines {
  readonly engines: RunningEngines;
  readonly events: readonly EngineEvent[];
  /** Settings with the connections of the engines, as a worker gets them. */
  readonly config: Config;
  /** kill -9 of one engine's process. */
  kill(name: EngineName): Promise<void>;
  /** kill -9, then waits until the supervisor has it back. */
  killAndAwait(name: EngineName): Promise<void>;
}

const BACK_WITHIN_MS = 180_000;

/**
 * Starts engines by their names (`kafka`, `hdfs`, …), downloads them where they are not in the cache, and stops them after the test (with
 * `t` of `test.before`: after the file's tests). `settings` are environment variables beyond the home's.
 */
export async function testEngines(
  t: Pick<ExecutionContext, "teardown" | "timeout">,
  names: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<TestEngines> {
  t.timeout(300_000);
  const home = await realpath(await mkdtemp(join(tmpdir(), "qflow-engines-")));
  t.teardown(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));
  await chmod(home, 0o755);
  const env = { ...ownEnvironment(), QFLOW_HOME: home, ...settings };
  const wanted = loadConfig(env);
  const events: EngineEvent[] = [];
  const engines = await startEngines(wanted, {
    names: enginesFor(wanted, names),
    progress: progressOn(process.stderr),
    onEvent: (event) => void events.push(event),
  });
  t.teardown(() => engines.stop());
  const kill = async (name: EngineName) => {
    const pid = (await engineStatus(wanted)).engines.find((engine) => engine.name === name)?.pid;
    if (!pid) throw new Error(`${name} does not run`);
    process.kill(pid, "SIGKILL");
  };
  return {
    engines,
    events,
    config: loadConfig({ ...env, ...engines.environment() }),
    kill,
    async killAndAwait(name) {
      const seen = events.length;
      await kill(name);
      const deadline = Date.now() + BACK_WITHIN_MS;
      while (!events.slice(seen).some((event) => event.engine === name && event.kind === "ready")) {
        if (Date.now() > deadline) throw new Error(`${name} did not come back`);
        await sleep(50);
      }
    },
  };
}

/** Without the settings of whoever runs the tests, except where the engines are installed. */
function ownEnvironment(): Record<string, string> {
  const entries = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries.filter(([name]) => !name.startsWith("QFLOW_") || name === "QFLOW_CACHE"));
}
