/** What processes use, as the kernel counts it. */
import { readFile } from "node:fs/promises";

/** Clock ticks a second in /proc (USER_HZ), the same on every Linux. */
const TICKS = 100;

/** CPU seconds that processes, and those of their children that have ended, have used so far. */
export async function cpuSeconds(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(
    pids.map(async (pid) => {
      const fields = await statOf(pid);
      return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS;
    }),
  );
  return each.reduce((sum, seconds) => sum + seconds, 0);
}

/** Proportional set size of processes together, in MiB: memory that several share is counted once. */
export async function pssMiB(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
      return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0);
    }),
  );
  return each.reduce((sum, kib) => sum + kib, 0) / 1024;
}

/** Process ids of the living children of a process. */
export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return text.split(" ").filter(Boolean).map(Number);
}

/** What follows the name in /proc/PID/stat, from the state (field 3) on. */
async function statOf(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}
