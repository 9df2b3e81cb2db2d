/** A control group with one limit, for processes that are to meet it. */
import { access, mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const ROOT = "/sys/fs/cgroup";
/** File of the limit in the first and in the second version of control groups. */
const LIMITS = {
  memory: { first: "memory.limit_in_bytes", second: "memory.max" },
  pids: { first: "pids.max", second: "pids.max" },
} as const;

/** A group; who writes its process id to {@link procs} is in it. */
export class Cgroup {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes a group with a limit: bytes, or processes and threads. Throws where this machine lets nobody do so. */
  static async make(controller: keyof typeof LIMITS, limit: number): Promise<Cgroup> {
    const isFirst = await access(join(ROOT, controller)).then(
      () => true,
      () => false,
    );
    const folder = join(ROOT, isFirst ? controller : "", `qflow-chaos-${process.pid}-${controller}`);
    await mkdir(folder, { recursive: true });
    const names = LIMITS[controller];
    await writeFile(join(folder, isFirst ? names.first : names.second), String(limit));
    return new Cgroup(folder);
  }

  get procs(): string {
    return join(this.folder, "cgroup.procs");
  }

  async pids(): Promise<number[]> {
    const text = await readFile(this.procs, "utf8").catch(() => "");
    return text.split("\n").filter(Boolean).map(Number);
  }

  /** Lets go of who is still in it, and removes the group. */
  async remove(): Promise<void> {
    const parent = join(dirname(this.folder), "cgroup.procs");
    for (const pid of await this.pids()) await writeFile(parent, String(pid)).catch(() => {});
    for (let tries = 0; tries < 50; tries++) {
      const removed = await rmdir(this.folder).then(
        () => true,
        () => false,
      );
      if (removed) return;
      await sleep(100);
    }
  }
}
