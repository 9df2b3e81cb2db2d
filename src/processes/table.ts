/** What Linux tells about processes: identity that survives reuse of a pid, environment markers, working folders. */
import { readdir, readFile, readlink } from "node:fs/promises";

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and the start of the process (field 22 of /proc/PID/stat). */
  readonly startedAt: string;
}

/** A living process with its environment. */
export interface MarkedProcess extends ProcessIdentity {
  readonly environment: ReadonlyMap<string, string>;
}

/** The identity of a living process, or null when there is none (a zombie counts as gone). */
export async function identify(pid: number): Promise<ProcessIdentity | null> {
  const [state, ...fields] = await statFields(pid);
  const startedAt = fields[18];
  return startedAt === undefined || state === "Z" || state === "X" ? null : { pid, startedAt };
}

/** Whether exactly this process lives. */
export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  return (await identify(process.pid))?.startedAt === process.startedAt;
}

/** This process and its ancestors, the nearest first. */
export async function lineOfDescent(): Promise<number[]> {
  const pids = [process.pid];
  for (let parent = process.ppid; parent > 1; parent = Number((await statFields(parent))[1] ?? 0)) pids.push(parent);
  return pids;
}

/** Every living process but this one in whose environment variable `name` is set; of others' processes only root sees it. */
export async function findMarked(name: string): Promise<MarkedProcess[]> {
  return mapProcesses(async (pid) => {
    const text = await readFile(`/proc/${pid}/environ`, "utf8");
    if (!text.includes(`${name}=`)) return null;
    const environment = parseEnvironment(text);
    const identity = environment.has(name) ? await identify(pid) : null;
    return identity && { ...identity, environment };
  });
}

/** Every living process but this one whose environment holds `name=value`. */
export async function findByMarker(name: string, value: string): Promise<ProcessIdentity[]> {
  const marked = await findMarked(name);
  return marked
    .filter(({ environment }) => environment.get(name) === value)
    .map(({ pid, startedAt }) => ({ pid, startedAt }));
}

/** Every living process but this one whose working folder is `folder`: the way to find the backends a dead postmaster left. */
export async function findByWorkingFolder(folder: string): Promise<ProcessIdentity[]> {
  return mapProcesses(async (pid) => ((await readlink(`/proc/${pid}/cwd`)) === folder ? identify(pid) : null));
}

/** What follows the name in /proc/PID/stat, from the state (field 3) on; empty when there is no such process. */
async function statFields(pid: number): Promise<string[]> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => null);
  // The name is in parentheses and may hold blanks and parentheses: count from the last one.
  return stat === null ? [] : stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

async function mapProcesses<T>(look: (pid: number) => Promise<T | null>): Promise<T[]> {
  const found: T[] = [];
  for (const entry of await readdir("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    // A process that ended meanwhile, or belongs to someone else, is none of ours.
    const seen = await look(pid).catch(() => null);
    if (seen !== null) found.push(seen);
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
