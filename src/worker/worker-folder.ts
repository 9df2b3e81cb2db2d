/** The private folder of a worker under the home's `tmp`: its name tells whose it is. */
import { mkdirSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isAlive } from "../processes/table.ts";

const NAME = /^worker-(\d+)-(\d*)-[0-9a-f]+$/;

/** Makes the folder of the worker with this marker, and answers its path. */
export function workerFolder(tmp: string, marker: string): string {
  const folder = join(tmp, `worker-${marker.replaceAll(":", "-")}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** Removes what workers left that are gone. */
export async function removeDeadFolders(tmp: string): Promise<void> {
  for (const name of await readdir(tmp)) {
    const [, pid, startedAt] = NAME.exec(name) ?? [];
    if (pid === undefined || startedAt === undefined) continue;
    if (!(await isAlive({ pid: Number(pid), startedAt }))) await rm(join(tmp, name), { recursive: true, force: true });
  }
}
