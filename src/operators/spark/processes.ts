/** Programs in process groups of their own: started, found again by marker, ended for certain. */
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** Environment variable that names the attempt a process works for; its value is the attempt's token. */
export const ATTEMPT_MARKER = "QFLOW_ATTEMPT";

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and its start. */
  readonly startedAt: string;
}

const POLL_MS = 50;
const KILL_PATIENCE_MS = 5_000;

/** The identity of a living process, or null (a zombie counts as gone). */
export async function identityOf(pid: number): Promise<ProcessIdentity | null> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => null);
  if (stat === null) return null;
  // The second field is the name in parentheses and may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? null : { pid, startedAt: fields[19] ?? "" };
}

/** Whether exactly this process lives. */
export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  return (await identityOf(process.pid))?.startedAt === process.startedAt;
}

/** Living processes whose environment holds `name=value`, without this one. */
export async function findMarked(name: string, value: string): Promise<ProcessIdentity[]> {
  const found = await Promise.all(
    (await readdir("/proc")).map((entry) => markedProcess(Number(entry), `${name}=${value}`)),
  );
  return found.filter((identity) => identity !== null);
}

async function markedProcess(pid: number, marker: string): Promise<ProcessIdentity | null> {
  if (!Number.isInteger(pid) || pid === process.pid) return null;
  const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
  return environment.split("\0").includes(marker) ? identityOf(pid) : null;
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
    const marked = await findMarked(marker.name, marker.value);
    return leader !== null && (await isAlive(leader)) ? [leader, ...marked] : marked;
  };
  if (leader !== null && (await isAlive(leader))) signal(-leader.pid, "SIGTERM");
  await untilNone(members, graceMs);
  for (let left = await members(); left.length > 0; left = await members()) {
    for (const one of left) {
      if (one.pid === leader?.pid) signal(-one.pid, "SIGKILL");
      signal(one.pid, "SIGKILL");
    }
    await untilNone(members, KILL_PATIENCE_MS);
    if ((await members()).length >= left.length) break;
  }
  return members();
}

async function untilNone(members: () => Promise<ProcessIdentity[]>, withinMs: number): Promise<void> {
  for (let left = withinMs; left > 0 && (await members()).length > 0; left -= POLL_MS) await sleep(POLL_MS);
}

/** Signals a process, or with a negative number its group; one that is gone is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
