/** The check of `fileSensor`. */
import { glob, stat } from "node:fs/promises";
import type { z } from "zod";
import type { CheckContext, SensorCheck } from "./check.ts";
import type { FoundFile, fileSensorSchema } from "./file-sensor.ts";

type Condition = z.output<typeof fileSensorSchema>;
type Found = { [K in keyof FoundFile]: FoundFile[K] };

/** More files are not looked at. */
const MOST_FILES = 1_000;

export const check: SensorCheck<Condition, Condition, Found[]> = {
  looks: "each",
  async prepare(config) {
    return { condition: config, resource: "file system", note: `for ${wanted(config)}` };
  },
  async look(waits, context) {
    return Promise.all(
      waits.map(async ({ condition }) => {
        const { found, unfit } = await findFiles(condition, context);
        if (found.length >= condition.files) return { state: "met", value: found };
        const others = unfit > 0 ? `, ${unfit} too small or still being written` : "";
        return { state: "unmet", note: `${found.length} of ${wanted(condition)}${others}` };
      }),
    );
  },
};

function wanted({ files, path }: Condition): string {
  return files === 1 ? path : `${files} files ${path}`;
}

async function findFiles(condition: Condition, { signal }: CheckContext): Promise<{ found: Found[]; unfit: number }> {
  const found: Found[] = [];
  let unfit = 0;
  for await (const path of pathsOf(condition.path)) {
    signal.throwIfAborted();
    // One that is gone by now is not there.
    const facts = await stat(path).catch(() => null);
    if (!facts?.isFile()) continue;
    const settled = Date.now() - facts.mtimeMs >= condition.stableSeconds * 1000;
    if (facts.size < condition.minBytes || !settled) unfit++;
    else found.push({ path, bytes: facts.size, modified: facts.mtime.toISOString() });
    if (found.length + unfit >= MOST_FILES) break;
  }
  return { found: found.sort((a, b) => (a.path < b.path ? -1 : 1)), unfit };
}

const PATTERN = /[*?{[]/;

async function* pathsOf(path: string): AsyncGenerator<string> {
  if (PATTERN.test(path)) yield* glob(path);
  else yield path;
}
