/** Where the lake of a home is: chosen when it is started for the first time, and kept. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Config, lakeFile, loadConfig } from "../../config.ts";
import { enginesFor, readHome, writePrivate } from "../../engines/index.ts";
import { say } from "../output.ts";
import type { CommandContext } from "../program.ts";

const ON_HDFS = "hdfs:///lake";

/**
 * The settings with the lake of this home. What QFLOW_LAKE says holds; a home that begins with the stream has its lake on its own HDFS; any
 * other one in its folder. `extras` as in a start.
 */
export async function settleLake(
  { config, env }: Pick<CommandContext, "config" | "env">,
  extras: readonly string[],
): Promise<Config> {
  const kept = await keptLake(config.home);
  if (kept !== null) {
    if (kept !== config.lakeDir)
      say(`This home began with the lake ${kept}; now it is ${config.lakeDir}. Tables stay where they were made.`);
    return config;
  }
  const wantsHdfs = extras.includes("stream") && !env.QFLOW_LAKE && enginesFor(config, ["hdfs"]).length > 0;
  const isNew = (await readHome(config.home)) === null;
  const lake = wantsHdfs && isNew ? ON_HDFS : config.lakeDir;
  if (wantsHdfs)
    say(
      isNew
        ? `The lake of this home is on HDFS: ${lake}.`
        : `The lake of this home is the folder ${lake}: the stream goes there.`,
    );
  // A home that holds its lake may be moved.
  if (lake === join(config.home, "lake")) return config;
  await writePrivate(lakeFile(config.home), `${lake}\n`);
  return loadConfig({ ...env, QFLOW_LAKE: lake });
}

async function keptLake(home: string): Promise<string | null> {
  const text = await readFile(lakeFile(home), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  return text?.trim() || null;
}
