/** Looks at and ends the engines of a home from any process. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config.ts";
import { endProcesses } from "../processes/ending.ts";
import { BLUEPRINTS } from "./blueprints.ts";
import { runningProcess } from "./engine.ts";
import { engineEnvironment } from "./environment.ts";
import { ENGINE_NAMES, type EngineName, type HomeState, readHome } from "./home.ts";
import { findInstallation } from "./install.ts";
import { checkMachine } from "./prerequisites.ts";
import { sweepInstance } from "./process.ts";
import { lockOwner } from "./process-lock.ts";
import { homeLockFile } from "./start.ts";

/** What is known about one engine. */
export interface EngineStatus {
  readonly name: EngineName;
  /** `ready` answers a request; `unresponsive` has a process that does not; `stopped` has none. */
  readonly state: "ready" | "unresponsive" | "stopped";
  readonly pid: number | null;
  /** Ready to be given to a client, without a password; null before the first start. */
  readonly address: string | null;
  readonly log: string;
}

/** What is known about the engines of a home. */
export interface EnginesStatus {
  readonly home: string;
  /** Process that supervises them, or null. */
  readonly supervisor: number | null;
  readonly engines: readonly EngineStatus[];
}

const STOP_PATIENCE_MS = 45_000;
const STRAY_PATIENCE_MS = 5_000;

/** The state of every engine of the home. Starts and changes nothing. */
export async function engineStatus(config: Config): Promise<EnginesStatus> {
  const state = await readHome(config.home);
  const supervisor = await lockOwner(homeLockFile(config.home));
  const engines = await Promise.all(ENGINE_NAMES.map((name) => statusOf(config, state, name)));
  return { home: config.home, supervisor: supervisor?.pid ?? null, engines };
}

async function statusOf(config: Config, state: HomeState | null, name: EngineName): Promise<EngineStatus> {
  const log = join(config.home, "log", `${name}.log`);
  // An engine that was never wanted here has no port.
  if (state?.ports[name] === undefined) return { name, state: "stopped", pid: null, address: null, log };
  const running = await runningProcess(join(config.home, "run"), name);
  const health = running !== null && (await BLUEPRINTS[name].health(state)) ? "ready" : "unresponsive";
  return {
    name,
    state: running === null ? "stopped" : health,
    pid: running?.pid ?? null,
    address: BLUEPRINTS[name].address(config, state),
    log,
  };
}

/**
 * Environment for a process that uses engines which another process runs, or null when one of `names` does not answer.
 * It holds passwords.
 */
export async function runningEnvironment(
  config: Config,
  names: readonly EngineName[],
): Promise<Record<string, string> | null> {
  const state = await readHome(config.home);
  if (state === null) return null;
  const ready = await Promise.all(names.map(async (name) => (await statusOf(config, state, name)).state === "ready"));
  if (ready.includes(false)) return null;
  const machine = await checkMachine(config).catch(() => null);
  return engineEnvironment(config, state, machine && (await findInstallation(config, machine)));
}

/**
 * Ends the supervisor of this home's engines, and with it the engines; then whatever carries the home's marker.
 * Returns whether anything was there to be ended.
 */
export async function stopEngines(config: Config): Promise<boolean> {
  const state = await readHome(config.home);
  if (state === null) return false;
  const lockFile = homeLockFile(config.home);
  const supervisor = await lockOwner(lockFile);
  if (supervisor) {
    const killPatienceMs = Number.POSITIVE_INFINITY;
    await endProcesses([supervisor], { first: "SIGTERM", patienceMs: STOP_PATIENCE_MS, killPatienceMs });
  }
  // Guards of a supervisor that had to be killed take a moment to do their work.
  if (supervisor) await sleep(50);
  const strays = await sweepInstance(state.id, STRAY_PATIENCE_MS);
  return supervisor !== null || strays > 0;
}
