/** Jars of engines that only some platforms run: installed beside the others when they are asked for, once for all homes of a user. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { fetchWithIvy, obtainSet } from "./download.ts";
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

/** Where the jars of a set are, or will be once they are installed. */
export function jarSetFolder(config: Pick<InstallConfig, "cacheDir">, name: JarSetName): string {
  return join(config.cacheDir, `jars-${name}-${jarSetId(name)}`);
}

/** Whether the set is installed. */
export function hasJarSet(config: Pick<InstallConfig, "cacheDir">, name: JarSetName): Promise<boolean> {
  // The folder appears at once, with everything in it.
  return access(jarSetFolder(config, name)).then(
    () => true,
    () => false,
  );
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
    if (await hasJarSet(config, name)) continue;
    const lock = await lockWhenFree(join(config.cacheDir, "install.lock"), ({ pid }) => {
      progress.note(`Waiting for the installation that process ${pid} runs`);
    });
    try {
      if (await hasJarSet(config, name)) continue;
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
