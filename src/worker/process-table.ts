/** What Linux tells about processes: identity that survives reuse of a pid, groups, environment markers. */
import { readdir, readFile } from "node:fs/promises";
import { messageOf } from "../errors.ts";
import { processStartedAt } from "../metadata/host-identity.ts";

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks between boot and its start. */
  readonly startedAt: string;
}

/** A living process with its environment. */
export interface MarkedProcess extends ProcessIdentity {
  readonly environment: ReadonlyMap<string, string>;
}

/** Identity of a living process, or null when there is none (a zombie counts as gone). */
export async function identityOf(pid: number): Promise<ProcessIdentity | null> {
  const startedAt = await processStartedAt(pid);
  return startedAt === null ? null : { pid, startedAt };
}

/** Whether exactly this process lives. */
export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  return (await identityOf(process.pid))?.startedAt === process.startedAt;
}

/** Every living process (but this one) in whose environment variable `name` is set. */
export async function findMarked(name: string): Promise<MarkedProcess[]> {
  const found: MarkedProcess[] = [];
  for (const entry of await readdir("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    // Gone meanwhile, or somebody else's: none of ours.
    const text = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (!text.includes(`${name}=`)) continue;
    const environment = parseEnvironment(text);
    const identity = environment.has(name) ? await identityOf(pid) : null;
    if (identity) found.push({ ...identity, environment });
  }
  return found;
}

function parseEnvironment(text: string): Map<string, string> {
  const environment = new Map<string, string>();
  for (const entry of text.split("\0")) {
    const at = entry.indexOf("=");
    if (at > 0) environment.set(entry.slice(0, at), entry.slice(at + 1));
  }
  return environment;
}

/** Sends a signal to a process, or with a negative number to a whole group; one that is gone is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH")
      throw new Error(`signal ${signal} to ${pid}: ${messageOf(error)}`);
  }
}
