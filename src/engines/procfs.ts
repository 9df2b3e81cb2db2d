/** What Linux tells about processes: identity that survives reuse of a pid, environment markers, working folders. */
import { readdir, readFile, readlink } from "node:fs/promises";

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and the start of the process (field 22 of /proc/PID/stat). */
  readonly startTime: number;
}

/** The identity of a living process, or null when there is none (a zombie counts as gone). */
export async function identify(pid: number): Promise<ProcessIdentity | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The second field is the name in parentheses and may hold blanks: count from the last parenthesis.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return null;
    return { pid, startTime: Number(fields[19]) };
  } catch {
    return null;
  }
}

/** Whether exactly this process still runs. */
export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  const now = await identify(process.pid);
  return now !== null && now.startTime === process.startTime;
}

/** Every living process whose environment holds `name=value`. Processes of other users are not seen unless we are root. */
export async function findByMarker(name: string, value: string): Promise<ProcessIdentity[]> {
  const wanted = `${name}=${value}`;
  return filterProcesses(async (pid) => {
    const environment = await readFile(`/proc/${pid}/environ`, "utf8");
    return environment.split("\0").includes(wanted);
  });
}

/** Every living process whose working folder is `folder`: the way to find the backends a dead postmaster left. */
export async function findByWorkingFolder(folder: string): Promise<ProcessIdentity[]> {
  return filterProcesses(async (pid) => (await readlink(`/proc/${pid}/cwd`)) === folder);
}

async function filterProcesses(matches: (pid: number) => Promise<boolean>): Promise<ProcessIdentity[]> {
  const found: ProcessIdentity[] = [];
  for (const entry of await readdir("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    // A process that ended meanwhile, or belongs to someone else, is none of ours.
    if (!(await matches(pid).catch(() => false))) continue;
    const identity = await identify(pid);
    if (identity) found.push(identity);
  }
  return found;
}
