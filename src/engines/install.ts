/** Installs the engines into the cache, once for all homes of a user. */
import { cp, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config.ts";
import { QflowError } from "../errors.ts";
import { lastLines, runCommand } from "./command.ts";
import { fetchWithIvy, fetchWithPip, obtain, removeDrafts, requirement } from "./download.ts";
import { exists } from "./files.ts";
import { ENGINES_LOCK, ENGINES_LOCK_ID } from "./lockfile.ts";
import { checkMachine, type Machine, requireSpace } from "./prerequisites.ts";
import { lockWhenFree } from "./process-lock.ts";
import { type Progress, progressOn } from "./progress.ts";

/** Where everything is. */
export interface Installation extends Machine {
  /** The Python that has pyspark and pyftpdlib. */
  readonly python: string;
  /** SPARK_HOME. */
  readonly sparkHome: string;
  /** Jars that Spark drivers need on their class path. */
  readonly jars: readonly string[];
  /** The metastore's schema scripts, in the order in which they are applied. */
  readonly hiveSchema: readonly string[];
}

/** Archive, unpacked archive and the wheel built from it exist at the same time. */
const SPACE_NEEDED = 2.5 * 1024 ** 3;

/** Settings that an installation looks at. */
export type InstallConfig = Pick<Config, "cacheDir" | "downloadEnvironment">;

/**
 * Installs what is missing and tells where everything is; touches no network when everything is there. Can be killed at any
 * moment and run again, and run by several processes at once. Throws PREREQUISITE_MISSING or DOWNLOAD_FAILED.
 */
export async function installEngines(
  config: InstallConfig,
  progress: Progress = progressOn(process.stderr),
): Promise<Installation> {
  const machine = await checkMachine(config);
  const present = await findInstallation(config, machine);
  if (present) return present;
  const lock = await lockWhenFree(join(config.cacheDir, "install.lock"), ({ pid }) => {
    progress.note(`Waiting for the installation that process ${pid} runs`);
  });
  try {
    const meanwhile = await findInstallation(config, machine);
    if (meanwhile) return meanwhile;
    await install(config, machine, progress);
  } finally {
    await lock.release();
  }
  const installed = await findInstallation(config, machine);
  if (installed) return installed;
  throw new QflowError("ENGINE_FAILED", "the engines were installed and do not run", {
    remedy: `Remove ${folderOf(config)} and run the command again.`,
  });
}

/** The complete installation of the pinned engines, or null. Touches no network. */
export async function findInstallation(config: InstallConfig, machine: Machine): Promise<Installation | null> {
  const folder = folderOf(config);
  const complete = await exists(join(folder, COMPLETE));
  if (!complete) return null;
  const python = join(folder, "python/bin/python");
  // An upgrade of the machine's Python can leave a virtual environment that no longer starts.
  const where = await runCommand(python, ["-c", "import pyftpdlib, pyspark; print(pyspark.__path__[0])"], {
    env: config.downloadEnvironment,
  });
  if (where.code !== 0) return null;
  return {
    ...machine,
    python,
    sparkHome: where.output.trim(),
    jars: ENGINES_LOCK.java.filter(({ type }) => type === "jar").map(({ file }) => join(folder, "jars", file)),
    hiveSchema: ENGINES_LOCK.hiveSchema.map((name) => join(folder, "hive-schema", name)),
  };
}

/** Written last: its presence says that everything before it is there. */
const COMPLETE = "complete";

function folderOf(config: InstallConfig): string {
  return join(config.cacheDir, `engines-${ENGINES_LOCK_ID}`);
}

async function install(config: InstallConfig, machine: Machine, progress: Progress): Promise<void> {
  await requireSpace(config.cacheDir, SPACE_NEEDED);
  const folder = folderOf(config);
  const downloads = join(config.cacheDir, "downloads");
  await removeDrafts(downloads);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const python = await installPython(config, machine, folder, downloads, progress);
  const where = await runCommand(python, ["-c", "import pyspark; print(pyspark.__path__[0])"], {
    env: config.downloadEnvironment,
  });
  const java = join(machine.javaHome, "bin/java");
  await mkdir(join(folder, "jars"));
  for (const artifact of ENGINES_LOCK.java) {
    const fetch = fetchWithIvy([artifact], java, join(where.output.trim(), "jars"), config.downloadEnvironment);
    const path = await obtain(artifact, downloads, fetch, progress);
    if (artifact.type === "jar") await cp(path, join(folder, "jars", artifact.file));
    else await unpackSchema(path, join(folder, "hive-schema"), config);
  }
  await writeFile(join(folder, COMPLETE), "");
  await rm(downloads, { recursive: true, force: true });
}

async function installPython(
  config: InstallConfig,
  machine: Machine,
  folder: string,
  downloads: string,
  progress: Progress,
): Promise<string> {
  const venv = join(folder, "python");
  const env = config.downloadEnvironment;
  const python = join(venv, "bin/python");
  await must(machine.python, ["-m", "venv", venv], config, "the virtual environment could not be made");
  const pip = async (args: string[], what: string) => {
    const offline = [
      "--no-index",
      "--no-deps",
      "--no-build-isolation",
      "--disable-pip-version-check",
      "--no-cache-dir",
    ];
    await must(python, ["-m", "pip", "install", ...offline, ...args], config, what);
  };
  // Source packages are built with a pinned setuptools, so it comes first and nothing unpinned is fetched for a build.
  for (const artifact of ENGINES_LOCK.python) {
    const path = await obtain(artifact, downloads, fetchWithPip(artifact, python, env), progress);
    if (artifact.name === "setuptools") await pip([path], "setuptools could not be installed");
  }
  const bar = progress.begin("Installing Spark and the FTP server", null);
  const requirements = join(folder, "requirements.txt");
  await writeFile(requirements, ENGINES_LOCK.python.map(requirement).join(""));
  await pip(
    ["--require-hashes", "--find-links", downloads, "-r", requirements],
    "the Python packages could not be installed",
  );
  bar.finish();
  return python;
}

/** The scripts for PostgreSQL out of the metastore's archive; they include each other by relative name, so they stay together. */
async function unpackSchema(archive: string, folder: string, config: InstallConfig): Promise<void> {
  const draft = `${folder}.new`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft);
  await must(
    "tar",
    ["-xzf", archive, "-C", draft, "--strip-components=5", "--wildcards", "*/upgrade/postgres/*.sql"],
    config,
    `${archive} could not be unpacked`,
  );
  const names = await readdir(draft);
  const absent = ENGINES_LOCK.hiveSchema.filter((name) => !names.includes(name));
  if (absent.length > 0) throw new QflowError("DOWNLOAD_FAILED", `${archive} lacks ${absent.join(", ")}`);
  await rename(draft, folder);
}

async function must(command: string, args: readonly string[], config: InstallConfig, what: string): Promise<void> {
  const { code, output } = await runCommand(command, args, { env: config.downloadEnvironment });
  if (code !== 0)
    throw new QflowError("ENGINE_FAILED", `${what}: ${lastLines(output, 4)}`, { remedy: "Run the command again." });
}
