/** Ends processes that are not our children, and process groups, for certain. */
import { setTimeout as sleep } from "node:timers/promises";
import { findByMarker, isAlive, type ProcessIdentity } from "./table.ts";

const POLL_MS = 20;
/** How long a process is given to go after its KILL: only the kernel can hold it longer. */
const KILL_PATIENCE_MS = 5_000;

/** Signals a process, or with a negative number a whole group; one that is gone, or somebody else's by now, is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ESRCH" && code !== "EPERM") throw error;
  }
}

/** How processes are ended. */
export interface EndPlan {
  readonly first: NodeJS.Signals;
  /** Between the first signal and KILL, in milliseconds; 0 = KILL at once. */
  readonly patienceMs: number;
  /** How long to wait after KILL. Default 5,000; Infinity = until the kernel has let go of them. */
  readonly killPatienceMs?: number;
}

/** Ends processes, and waits until they are gone. Resolves to how many there were. */
export async function endProcesses(processes: readonly ProcessIdentity[], plan: EndPlan): Promise<number> {
  const living = async () => {
    const flags = await Promise.all(processes.map(isAlive));
    return processes.filter((_, index) => flags[index]);
  };
  if (plan.patienceMs > 0) {
    for (const one of await living()) signalProcess(one.pid, plan.first);
    await untilNone(living, plan.patienceMs);
  }
  for (const one of await living()) signalProcess(one.pid, "SIGKILL");
  await untilNone(living, plan.killPatienceMs ?? KILL_PATIENCE_MS);
  return processes.length;
}

/**
 * Ends a process group and everything that carries the marker: TERM, up to `graceMs`, then KILL. Resolves to what is still alive after
 * that, which is nothing unless the kernel holds a process.
 */
export async function endGroup(
  leader: ProcessIdentity | null,
  marker: { name: string; value: string },
  graceMs: number,
): Promise<ProcessIdentity[]> {
  const members = async () => {
    const marked = await findByMarker(marker.name, marker.value);
    return leader !== null && (await isAlive(leader)) ? [leader, ...marked] : marked;
  };
  if (leader !== null && (await isAlive(leader))) signalProcess(-leader.pid, "SIGTERM");
  await untilNone(members, graceMs);
  for (let left = await members(); left.length > 0; left = await members()) {
    for (const one of left) {
      if (one.pid === leader?.pid) signalProcess(-one.pid, "SIGKILL");
      signalProcess(one.pid, "SIGKILL");
    }
    await untilNone(members, KILL_PATIENCE_MS);
    if ((await members()).length >= left.length) break;
  }
  return members();
}

async function untilNone(living: () => Promise<readonly unknown[]>, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline && (await living()).length > 0) await sleep(POLL_MS);
}
