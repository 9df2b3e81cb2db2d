/** Finds and ends processes by the markers in their environment: what left its process group, and what a dead worker left. */
import { randomBytes } from "node:crypto";
import { endProcesses } from "../processes/ending.ts";
import { ATTEMPT_MARKER, INSTANCE_MARKER, WORKER_MARKER } from "../processes/markers.ts";
import { findMarked, identify, isAlive, type MarkedProcess, type ProcessIdentity } from "../processes/table.ts";

/** A marker for a worker in this process. */
export async function workerMarker(): Promise<{ identity: ProcessIdentity; value: string }> {
  const identity = (await identify(process.pid)) ?? { pid: process.pid, startedAt: "" };
  return { identity, value: `${identity.pid}:${identity.startedAt}:${randomBytes(4).toString("hex")}` };
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
  return endProcesses(stray, { first: "SIGTERM", patienceMs: 2000 });
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
  return endProcesses(orphans, { first: "SIGTERM", patienceMs: 0 });
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
    ended += await endProcesses(found, { first: "SIGTERM", patienceMs: round === 0 ? graceMs : 0 });
  }
  return ended;
}
