/** Bundles on disk, by hash: fetched from the database once, shared by all runners of this QFLOW_HOME. */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { QflowError } from "../errors.ts";

/** Gives the path of a bundle's file. Throws what fetching throws, and INTERNAL when the code does not match its hash. */
export interface BundleCache {
  pathOf(hash: string): Promise<string>;
}

/** A cache in `folder`; `fetch` gets the code of a hash from the database. */
export function createBundleCache(folder: string, fetch: (hash: string) => Promise<string>): BundleCache {
  const known = new Map<string, Promise<string>>();
  return {
    pathOf(hash) {
      const path = known.get(hash) ?? ensure(folder, hash, fetch);
      known.set(hash, path);
      // What failed is asked for again by the next task.
      path.catch(() => known.delete(hash));
      return path;
    },
  };
}

async function ensure(folder: string, hash: string, fetch: (hash: string) => Promise<string>): Promise<string> {
  const path = join(folder, `${hash}.mjs`);
  const present = await readFile(path, "utf8").catch(() => null);
  if (present !== null && digest(present) === hash) return path;
  const code = await fetch(hash);
  if (digest(code) !== hash) throw new QflowError("INTERNAL", `bundle ${hash} does not match its hash`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  await writeFile(temporary, code, { mode: 0o600 });
  await rename(temporary, path);
  return path;
}

function digest(code: string): string {
  return createHash("sha256").update(code).digest("hex");
}
