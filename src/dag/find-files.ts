/** Which files of a DAG folder may hold DAGs, and whether files have changed. */
import type { Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { QflowError } from "../errors.ts";

const CANDIDATE = /(?<!\.d|\.test)\.ts$/;

/**
 * Absolute paths of every `.ts` file under a folder, sorted, each file once: not under `node_modules` or hidden folders, no
 * `.d.ts` and `.test.ts`. Symbolic links are followed once. Throws CONFIG_INVALID where there is no such folder.
 */
export async function findDagFiles(dir: string): Promise<string[]> {
  const seen = new Set<string>();
  const found: string[] = [];
  await walk(dir, seen, found).catch((error: NodeJS.ErrnoException) => {
    throw new QflowError("CONFIG_INVALID", `setting dagsDir: ${dir} cannot be read: ${error.code}`, { cause: error });
  });
  return found.sort();
}

async function walk(dir: string, seen: Set<string>, found: string[]): Promise<void> {
  if (!(await isNew(dir, seen))) return;
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    if (entry.name === "node_modules" || entry.name.startsWith(".")) continue;
    const path = join(dir, entry.name);
    const kind = await kindOf(entry, path);
    // A folder that vanishes or is closed to us while we walk is no reason to lose the others.
    if (kind === "folder") await walk(path, seen, found).catch(() => {});
    else if (kind === "file" && CANDIDATE.test(entry.name) && (await isNew(path, seen))) found.push(path);
  }
}

async function isNew(path: string, seen: Set<string>): Promise<boolean> {
  const real = await realpath(path);
  if (seen.has(real)) return false;
  seen.add(real);
  return true;
}

async function kindOf(entry: Dirent, path: string): Promise<"file" | "folder" | "other"> {
  const about = entry.isSymbolicLink() ? await stat(path).catch(() => null) : entry;
  if (about === null) return "other";
  return about.isDirectory() ? "folder" : about.isFile() ? "file" : "other";
}

/** What tells that a file is not what it was: size, times and identity; "gone" where there is none. */
export async function stampOf(path: string): Promise<string> {
  const about = await stat(path, { bigint: true }).catch(() => null);
  return about === null ? "gone" : `${about.ino}:${about.size}:${about.mtimeNs}:${about.ctimeNs}`;
}
