/** Builds the web client where it is not built yet, or a source is newer than what was built. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

const HERE = import.meta.dirname;
/** The API's types shape no line of the output, except the table of error codes. */
const SOURCES = [join(HERE, "src"), join(HERE, "public")];
const FILES = [join(HERE, "index.html"), join(HERE, "vite.config.ts"), join(HERE, "../src/errors.ts")];

/** Writes `ui/dist`, which the API serves; takes about a second, and nothing when it is up to date. Throws what Vite throws. */
export async function buildWebClient(): Promise<"built" | "up to date"> {
  const page = await stat(join(HERE, "dist/index.html")).catch(() => null);
  if (page && page.mtimeMs > (await newestSource())) return "up to date";
  const { build } = await import("vite");
  await build({ root: HERE, configFile: join(HERE, "vite.config.ts"), logLevel: "error" });
  return "built";
}

async function newestSource(): Promise<number> {
  const listed = await Promise.all(SOURCES.map((folder) => readdir(folder, { recursive: true, withFileTypes: true })));
  const found = listed.flat().filter((entry) => entry.isFile());
  const paths = [...FILES, ...found.map((entry) => join(entry.parentPath, entry.name))];
  return Math.max(...(await Promise.all(paths.map(async (path) => (await stat(path)).mtimeMs))));
}
