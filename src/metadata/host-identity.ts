/** This machine, as worker sessions name it. */
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";

/** The machine as the kernel knows it, so that a restored copy of a database never takes another host for this one. */
export async function hostId(): Promise<string> {
  const machine = await readFile("/etc/machine-id", "utf8").catch(() => "");
  return `${hostname()}/${machine.trim()}`;
}
