/** What the machine must have before engines can be installed or run; each missing thing is named with its remedy. */
import { access, mkdir, realpath, statfs } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import type { Config } from "../config.ts";
import { QflowError } from "../errors.ts";
import { runCommand } from "./command.ts";

/** What was found on the machine. */
export interface Machine {
  /** Path of a Python 3.11 or newer with the venv module. */
  readonly python: string;
  /** Folder of a Java 17 or newer. */
  readonly javaHome: string;
}

const MINIMUM_PYTHON = 11;
const MINIMUM_JAVA = 17;

/** Finds Python and Java. Throws PREREQUISITE_MISSING. */
export async function checkMachine(config: Pick<Config, "downloadEnvironment">): Promise<Machine> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw missing(
      `the engines run on Linux x64, and this is ${process.platform} ${process.arch}`,
      "Run qflow on Linux x64 (a virtual machine or WSL 2 will do).",
    );
  }
  const [python, javaHome] = await Promise.all([
    findPython(config.downloadEnvironment),
    findJava(config.downloadEnvironment),
  ]);
  return { python, javaHome };
}

/** Throws PREREQUISITE_MISSING when the file system of `folder` has fewer than `bytes` free. */
export async function requireSpace(folder: string, bytes: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= bytes) return;
  const gib = (n: number) => (n / 1024 ** 3).toFixed(1);
  throw missing(
    `${folder} has ${gib(free)} GiB free, and installing the engines takes ${gib(bytes)} GiB`,
    "Free some space, or set QFLOW_CACHE to a folder on a larger disk.",
  );
}

const PYTHON_CANDIDATES = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];

async function findPython(env: Config["downloadEnvironment"]): Promise<string> {
  let found: string | null = null;
  for (const candidate of PYTHON_CANDIDATES) {
    const script = "import sys; print(sys.version_info[0], sys.version_info[1], sys.executable)";
    const { code, output } = await runCommand(candidate, ["-c", script], { env });
    if (code !== 0) continue;
    const [major, minor, ...path] = output.trim().split(" ");
    found = `${major}.${minor}`;
    if (Number(major) !== 3 || Number(minor) < MINIMUM_PYTHON) continue;
    const venv = await runCommand(candidate, ["-c", "import venv, ensurepip"], { env });
    if (venv.code === 0) return path.join(" ");
    throw missing(
      `Python ${found} has no venv module`,
      `Install it (Debian, Ubuntu: apt-get install python3-venv; Fedora: dnf install python3), then run the command again.`,
    );
  }
  throw missing(
    found === null ? "there is no Python 3" : `Python 3.${MINIMUM_PYTHON} or newer is needed, and this is ${found}`,
    `Install Python 3.${MINIMUM_PYTHON} or newer with venv (Debian, Ubuntu: apt-get install python3 python3-venv).`,
  );
}

/** JAVA_HOME when it is set, else the `java` on the path; with links resolved, so that `bin/java` has its libraries beside it. */
async function findJava(env: Config["downloadEnvironment"]): Promise<string> {
  const program = env.JAVA_HOME ? join(env.JAVA_HOME, "bin/java") : await onPath("java", env.PATH ?? "");
  const remedy = `Install Java ${MINIMUM_JAVA} or newer (Debian, Ubuntu: apt-get install openjdk-17-jre-headless), or set JAVA_HOME to one.`;
  if (program === null) throw missing(`there is no Java, and Spark needs Java ${MINIMUM_JAVA} or newer`, remedy);
  const { code, output } = await runCommand(program, ["-version"], { env });
  const version = /version "(\d+)/.exec(output)?.[1];
  if (code !== 0 || version === undefined) throw missing(`${program} does not run`, remedy);
  if (Number(version) < MINIMUM_JAVA) {
    throw missing(`Spark needs Java ${MINIMUM_JAVA} or newer, and ${program} is version ${version}`, remedy);
  }
  return dirname(dirname(await realpath(program)));
}

async function onPath(program: string, path: string): Promise<string | null> {
  for (const folder of path.split(delimiter)) {
    const candidate = join(folder, program);
    const present = await access(candidate).then(
      () => true,
      () => false,
    );
    if (present) return candidate;
  }
  return null;
}

function missing(message: string, remedy: string): QflowError {
  return new QflowError("PREREQUISITE_MISSING", message, { remedy });
}
