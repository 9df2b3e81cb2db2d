/** Jars of engines that only some platforms run: installed beside the others when they are asked for, once for all homes of a user. */
import { join } from "node:path";
import { fetchWithIvy, obtainSet } from "./download.ts";
import { exists } from "./files.ts";
import type { Installation, InstallConfig } from "./install.ts";
import { ENGINES_LOCK, type JarSetName, jarSetId } from "./lockfile.ts";
import { requireSpace } from "./prerequisites.ts";
import { lockWhenFree } from "./process-lock.ts";
import type { Progress } from "./progress.ts";

const TITLES: Readonly<Record<JarSetName, string>> = {
  kafka: "Kafka",
  sparkKafka: "Spark's connector to Kafka",
  hadoop: "HDFS and YARN",
  yarn: "YARN's cryptography",
};

/** Where the jars of a set are, or will be once they are installed: the folder appears with everything in it. */
function jarSetFolder(config: Pick<InstallConfig, "cacheDir">, name: JarSetName): string {
  return join(config.cacheDir, `jars-${name}-${jarSetId(name)}`);
}

/** The files of a set, installed or not. */
export function jarSetFiles(config: Pick<InstallConfig, "cacheDir">, name: JarSetName): string[] {
  return ENGINES_LOCK.jarSets[name].map(({ file }) => join(jarSetFolder(config, name), file));
}

/**
 * Installs the sets that are missing; touches no network when all are there. Can be killed at any moment and run again, and run by
 * several processes at once. Throws PREREQUISITE_MISSING or DOWNLOAD_FAILED.
 */
export async function installJarSets(
  config: InstallConfig,
  names: readonly JarSetName[],
  { javaHome, sparkHome }: Pick<Installation, "javaHome" | "sparkHome">,
  progress: Progress,
): Promise<void> {
  for (const name of names) {
    if (await exists(jarSetFolder(config, name))) continue;
    const lock = await lockWhenFree(join(config.cacheDir, "install.lock"), ({ pid }) => {
      progress.note(`Waiting for the installation that process ${pid} runs`);
    });
    try {
      if (await exists(jarSetFolder(config, name))) continue;
      const artifacts = ENGINES_LOCK.jarSets[name];
      // Ivy keeps a copy of its own until the files are in their place.
      await requireSpace(config.cacheDir, 3 * artifacts.reduce((sum, { bytes }) => sum + bytes, 0));
      const java = join(javaHome, "bin/java");
      const fetch = fetchWithIvy(artifacts, java, join(sparkHome, "jars"), config.downloadEnvironment);
      await obtainSet(TITLES[name], artifacts, jarSetFolder(config, name), fetch, progress);
    } finally {
      await lock.release();
    }
  }
}
