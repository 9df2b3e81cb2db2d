/** Fetches pinned artifacts through pip and through the Ivy that Spark carries, and keeps only what matches its checksum. */
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { QflowError } from "../errors.ts";
import { type CommandResult, lastLines, runCommand } from "./command.ts";
import { exists } from "./files.ts";
import { type Artifact, type JavaArtifact, type PythonArtifact, sha256 } from "./lockfile.ts";
import type { Progress, ProgressBar } from "./progress.ts";

/** Environment for the download tools: proxies, indexes and certificates as the user has set them. */
type ToolEnv = Readonly<Record<string, string>>;

/** Brings one file into the given empty folder, under the artifact's name. */
export type Fetch = (folder: string) => Promise<CommandResult>;

const POLL_MS = 200;

/**
 * The path of the verified artifact in `folder`, downloaded through `fetch` when it is not there. The file appears under its name
 * only when complete and verified, so a kill at any moment leaves nothing wrong. Throws DOWNLOAD_FAILED.
 */
export async function obtain(artifact: Artifact, folder: string, fetch: Fetch, progress: Progress): Promise<string> {
  const path = join(folder, artifact.file);
  if (await exists(path)) {
    if ((await sha256(path)) === artifact.sha256) return path;
    await rm(path);
  }
  await mkdir(folder, { recursive: true });
  const draft = await mkdtemp(join(folder, ".part-"));
  const bar = progress.begin(`Downloading ${artifact.name}`, artifact.bytes);
  const stopWatching = watchSize(draft, artifact.bytes, bar);
  try {
    const { output } = await fetch(draft);
    await rename(await verified(artifact, draft, output), path);
    bar.finish();
    return path;
  } finally {
    stopWatching();
    await rm(draft, { recursive: true, force: true });
  }
}

/**
 * Fetches artifacts in one go into `folder`, which appears with all of them, verified, or not at all. Call it under the installation lock
 * only. Throws DOWNLOAD_FAILED.
 */
export async function obtainSet(
  title: string,
  artifacts: readonly Artifact[],
  folder: string,
  fetch: Fetch,
  progress: Progress,
): Promise<void> {
  const draft = `${folder}.part`;
  const complete = `${folder}.new`;
  for (const left of [draft, complete]) await rm(left, { recursive: true, force: true });
  await mkdir(draft, { recursive: true });
  await mkdir(complete);
  const total = artifacts.reduce((sum, { bytes }) => sum + bytes, 0);
  const bar = progress.begin(`Downloading ${title}`, total);
  const stopWatching = watchSize(draft, total, bar);
  try {
    const { output } = await fetch(draft);
    for (const artifact of artifacts) {
      await rename(await verified(artifact, draft, output), join(complete, artifact.file));
    }
    await rename(complete, folder);
    bar.finish();
  } finally {
    stopWatching();
    for (const left of [draft, complete]) await rm(left, { recursive: true, force: true });
  }
}

/** The path of what was fetched. Throws DOWNLOAD_FAILED when it is not there, or is something else. */
async function verified(artifact: Artifact, folder: string, said: string): Promise<string> {
  const fetched = join(folder, artifact.file);
  if (!(await exists(fetched))) throw unavailable(artifact, lastLines(said, 3));
  const found = await sha256(fetched);
  if (found !== artifact.sha256) throw wrong(artifact, found);
  return fetched;
}

/** Removes what a killed download left. Call it under the installation lock only. */
export async function removeDrafts(folder: string): Promise<void> {
  const entries = await readdir(folder).catch(() => []);
  for (const entry of entries) {
    if (entry.startsWith(".part-")) await rm(join(folder, entry), { recursive: true, force: true });
  }
}

/** Fetches with the pip of a virtual environment. The hash is checked by pip, too, before anything in the file is run. */
export function fetchWithPip(artifact: PythonArtifact, python: string, env: ToolEnv): Fetch {
  return async (folder) => {
    const requirements = join(folder, "requirements.txt");
    await writeFile(requirements, requirement(artifact));
    const flags = [
      "--no-deps",
      "--no-build-isolation",
      "--require-hashes",
      "--progress-bar=off",
      "--disable-pip-version-check",
    ];
    return runCommand(python, ["-m", "pip", "download", ...flags, "-r", requirements, "-d", folder], {
      // pip downloads into the temporary folder first: ours, so that its growth can be shown and a kill leaves nothing elsewhere.
      env: { ...env, TMPDIR: folder },
      cwd: folder,
    });
  };
}

/** A pinned line of a requirements file. */
export function requirement(artifact: PythonArtifact): string {
  return `${artifact.name}==${artifact.version} --hash=sha256:${artifact.sha256}\n`;
}

/** Fetches with Ivy, all at once. `java` is the program, `sparkJars` the folder that holds Ivy's jar. */
export function fetchWithIvy(artifacts: readonly JavaArtifact[], java: string, sparkJars: string, env: ToolEnv): Fetch {
  return async (folder) => {
    const description = join(folder, "ivy.xml");
    await writeFile(description, ivyDescription(artifacts));
    const pattern = join(folder, "[artifact]-[revision](-[classifier]).[ext]");
    const args = ["-cp", `${sparkJars}/*`, `-Divy.default.ivy.user.dir=${folder}`, "org.apache.ivy.Main"];
    args.push("-cache", join(folder, "cache"), "-ivy", description, "-confs", "default", "-retrieve", pattern);
    return runCommand(java, args, { env, cwd: folder });
  };
}

function ivyDescription(artifacts: readonly JavaArtifact[]): string {
  return `<ivy-module version="2.0" xmlns:m="http://ant.apache.org/ivy/maven">
  <info organisation="qflow" module="engines"/>
  <configurations><conf name="default"/></configurations>
  <dependencies>
${artifacts.map(ivyDependency).join("")}  </dependencies>
</ivy-module>
`;
}

function ivyDependency({ organisation, name, revision, type, classifier }: JavaArtifact): string {
  const which = classifier ? ` m:classifier="${classifier}"` : "";
  return `    <dependency org="${organisation}" name="${name}" rev="${revision}" transitive="false" conf="default->default">
      <artifact name="${name}" type="${type}" ext="${type}"${which}/>
    </dependency>
`;
}

/** Neither tool tells how far it is when its output is no terminal, so the growth of its folder is what is shown. */
function watchSize(folder: string, total: number, bar: ProgressBar): () => void {
  const timer = setInterval(() => {
    void sizeOf(folder).then((bytes) => bar.update(Math.min(bytes, total)));
  }, POLL_MS);
  return () => clearInterval(timer);
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        (found) => found.size,
        () => 0,
      ),
    );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

function unavailable(artifact: Artifact, reason: string): QflowError {
  return new QflowError("DOWNLOAD_FAILED", `${artifact.file} could not be downloaded: ${reason}`, {
    details: { artifact: artifact.file },
  });
}

function wrong(artifact: Artifact, found: string): QflowError {
  return new QflowError(
    "DOWNLOAD_FAILED",
    `${artifact.file} does not have the checksum of engines.lock.json (${found})`,
    {
      remedy: "Run the command again; if it stays, the package index or a proxy in between serves another file.",
      details: { artifact: artifact.file, expected: artifact.sha256, found },
    },
  );
}
