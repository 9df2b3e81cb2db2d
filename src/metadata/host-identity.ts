/** This machine and its processes, as worker sessions name them. */
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";

/** The machine as the kernel knows it, so that a restored copy of a database never takes another host for this one. */
export async function hostId(): Promise<string> {
  const machine = await readFile("/etc/machine-id", "utf8").catch(() => "");
  return `${hostname()}/${machine.trim()}`;
}

/** Field 22 of /proc/PID/stat (clock ticks between boot and start), or null when there is no such living process. */
export async function processStartedAt(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => null);
  if (stat === null) return null;
  // The second field is the name in parentheses and may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? null);
}
