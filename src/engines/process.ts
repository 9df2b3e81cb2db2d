/** Starts, guards and ends the processes of engines. */
import { type ChildProcess, spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, QflowError } from "../errors.ts";
import { endProcesses, signalProcess } from "../processes/ending.ts";
import { INSTANCE_MARKER } from "../processes/markers.ts";
import { findByMarker, identify, isAlive, lineOfDescent, type ProcessIdentity } from "../processes/table.ts";
import { startGuard } from "./guard.ts";

/** What to run and how it wants to be ended. */
export interface ProcessSpec {
  /** Short name for messages, e.g. `postgres`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the process; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Standard output and error are appended here. */
  readonly logFile: string;
  /** Numeric user and group to become; absent = our own. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Signals of a stop, in order, each followed by its patience in milliseconds; a KILL always ends the list. */
  readonly stopSignals: readonly { readonly signal: NodeJS.Signals; readonly patienceMs: number }[];
}

/** A process in a group of its own that dies with us, even when we are killed. */
export interface EngineProcess {
  readonly identity: ProcessIdentity;
  /** Resolves once, with a sentence about how it ended. Never rejects. */
  readonly exited: Promise<string>;
  /** Ends the whole group and waits until it is gone. Safe to call again. */
  stop(): Promise<void>;
}

/** Starts a process. Throws ENGINE_FAILED when it cannot be started at all. */
export async function startProcess(spec: ProcessSpec): Promise<EngineProcess> {
  const log = await open(spec.logFile, "a", 0o600);
  const guard = startGuard(spec.stopSignals[0]?.signal ?? "SIGKILL", spec.env[INSTANCE_MARKER]);
  const child = spawn(spec.command, spec.args, {
    cwd: spec.cwd,
    env: spec.env,
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
    ...(spec.user ?? {}),
  });
  guard.watch(child);
  const exited = exitOf(child);
  await log.close();
  const identity = child.pid === undefined ? null : await identify(child.pid);
  if (identity === null) {
    throw new QflowError("ENGINE_FAILED", `${spec.name} did not start: ${await exited}`, {
      remedy: `Read ${spec.logFile}.`,
      details: { engine: spec.name, log: spec.logFile },
    });
  }
  return { identity, exited, stop: () => stopGroup(identity, exited, spec.stopSignals) };
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((settle) => {
    child.once("error", (error) => settle(messageOf(error)));
    child.once("exit", (code, signal) => settle(signal ? `killed by ${signal}` : `exit code ${code}`));
  });
}

async function stopGroup(
  leader: ProcessIdentity,
  exited: Promise<string>,
  signals: ProcessSpec["stopSignals"],
): Promise<void> {
  for (const { signal, patienceMs } of signals) {
    if (!(await isAlive(leader))) break;
    signalProcess(-leader.pid, signal);
    await Promise.race([exited, sleep(patienceMs, undefined, { ref: false })]);
  }
  // Whatever the leader left in its group goes with it.
  signalProcess(-leader.pid, "SIGKILL");
  await exited;
}

/** Ends everything that carries this instance's marker, ourselves and our ancestors excepted. Returns how many were ended. */
export function sweepInstance(instance: string, patienceMs: number): Promise<number> {
  return endMarked(INSTANCE_MARKER, instance, patienceMs);
}

/** Ends every process with this variable in its environment, ourselves and our ancestors excepted. Returns how many were ended. */
export async function endMarked(name: string, value: string, patienceMs = 5_000): Promise<number> {
  const kept = new Set(await lineOfDescent());
  const strays = (await findByMarker(name, value)).filter((one) => !kept.has(one.pid));
  return endProcesses(strays, { first: "SIGTERM", patienceMs, killPatienceMs: Number.POSITIVE_INFINITY });
}
