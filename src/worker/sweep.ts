/** Finds and ends processes by the markers in their environment: what left its process group, and what a dead worker left. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  findMarked,
  identityOf,
  isAlive,
  type MarkedProcess,
  type ProcessIdentity,
  signalProcess,
} from "./process-table.ts";

/** Environment variable that names the attempt a process works for. */
export const ATTEMPT_MARKER = "QFLOW_ATTEMPT";
/** Environment variable that names the worker a process belongs to: `<pid>:<start time>:<a process may hold several>`. */
export const WORKER_MARKER = "QFLOW_WORKER";
/** Environment variable that names the host process whose operators started a process. */
export const HOST_MARKER = "QFLOW_HOST_PROCESS";
/** Environment variable that names the QFLOW_HOME a process belongs to. */
export const INSTANCE_MARKER = "QFLOW_INSTANCE";

const POLL_MS = 50;

/** A marker for a worker in this process. */
export async function workerMarker(): Promise<{ identity: ProcessIdentity; value: string }> {
  const identity = (await identityOf(process.pid)) ?? { pid: process.pid, startedAt: "" };
  return { identity, value: `${identity.pid}:${identity.startedAt}:${randomBytes(4).toString("hex")}` };
}

/** Ends processes: TERM, up to `graceMs`, then KILL until they are gone. Resolves to how many there were. */
export async function endProcesses(processes: readonly ProcessIdentity[], graceMs: number): Promise<number> {
  if (graceMs > 0) {
    await signalLiving(processes, "SIGTERM");
    await untilGone(processes, graceMs);
  }
  await signalLiving(processes, "SIGKILL");
  await untilGone(processes, 5000);
  return processes.length;
}

async function signalLiving(processes: readonly ProcessIdentity[], signal: NodeJS.Signals): Promise<void> {
  for (const process of processes) if (await isAlive(process)) signalProcess(process.pid, signal);
}

async function untilGone(processes: readonly ProcessIdentity[], withinMs: number): Promise<void> {
  for (let left = withinMs; left > 0; left -= POLL_MS) {
    const alive = await Promise.all(processes.map(isAlive));
    if (!alive.includes(true)) return;
    await sleep(POLL_MS);
  }
}

/** Ends every process of an attempt, by either of its identities. A forking program is swept until none is left. */
export async function sweepAttempt(attempt: { attemptId: string; token: string }, graceMs: number): Promise<number> {
  return sweepUntilNone(
    (process) => {
      const value = process.environment.get(ATTEMPT_MARKER);
      return value === attempt.token || value === attempt.attemptId;
    },
    ATTEMPT_MARKER,
    graceMs,
  );
}

/** Ends what belongs to this worker but to none of its living attempts: leftovers of attempts that have ended. */
export async function sweepEndedAttempts(worker: string, isLive: (attempt: string) => boolean): Promise<number> {
  const found = await findMarked(ATTEMPT_MARKER);
  const stray = found.filter(
    ({ environment }) => environment.get(WORKER_MARKER) === worker && !isLive(environment.get(ATTEMPT_MARKER) ?? ""),
  );
  return endProcesses(stray, 2000);
}

/** Ends everything in whose environment variable `name` is `value`, but for this process. Resolves to how many. */
export async function sweepMarked(name: string, value: string, graceMs: number): Promise<number> {
  return sweepUntilNone((process) => process.environment.get(name) === value, name, graceMs);
}

/** Ends what dead workers of an instance left. Processes of living ones are not touched. */
export async function sweepDeadWorkers(instance: string): Promise<number> {
  const found = await findMarked(WORKER_MARKER);
  const orphans: MarkedProcess[] = [];
  for (const process of found) {
    if ((process.environment.get(INSTANCE_MARKER) ?? "") !== instance) continue;
    if (!(await isWorkerAlive(process.environment.get(WORKER_MARKER) ?? ""))) orphans.push(process);
  }
  return endProcesses(orphans, 0);
}

async function isWorkerAlive(worker: string): Promise<boolean> {
  const [pid, startedAt] = worker.split(":");
  return isAlive({ pid: Number(pid), startedAt: startedAt ?? "" });
}

async function sweepUntilNone(
  matches: (process: MarkedProcess) => boolean,
  name: string,
  graceMs: number,
): Promise<number> {
  let ended = 0;
  for (let round = 0; round < 5; round++) {
    const found = (await findMarked(name)).filter(matches);
    if (found.length === 0) break;
    ended += await endProcesses(found, round === 0 ? graceMs : 0);
  }
  return ended;
}
