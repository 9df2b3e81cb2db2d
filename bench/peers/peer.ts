/** What every peer is measured by, and on: a PostgreSQL as ours, and the folder it is installed in. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, copyFile, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { ensureDatabase, startPostgres } from "../../src/engines/postgres.ts";
import { freePort } from "../../src/processes/ports.ts";
import type { Figure } from "../figure.ts";

/** Another orchestrator or job queue. */
export interface Peer {
  /** Installs what is missing; returns the folder. */
  install(): Promise<string>;
  /** Measures on an empty database. `scratch` is a folder that is removed afterwards. */
  measure(at: PeerPlace): AsyncGenerator<Figure>;
}

/** Where a peer runs. */
export interface PeerPlace {
  readonly installed: string;
  readonly databaseUrl: string;
  readonly scratch: string;
}

const FILES = import.meta.dirname;
const CACHE = join(homedir(), ".cache/qflow/peers");

/** Measures a peer on a PostgreSQL of its own, with the settings of an embedded one of ours. */
export async function* benchPeer(peer: Peer): AsyncGenerator<Figure> {
  const installed = await peer.install();
  const scratch = await mkdtemp(join(tmpdir(), "qflow-bench-peer-"));
  await chmod(scratch, 0o755);
  const postgres = await startPostgres({
    dataDir: join(scratch, "pg"),
    port: await freePort(),
    password: randomBytes(18).toString("base64url"),
    logFile: join(scratch, "postgres.log"),
    cacheDir: join(homedir(), ".cache/qflow"),
    instance: `bench-peer-${process.pid}`,
  });
  try {
    await ensureDatabase(postgres.url("postgres"), "peer");
    yield* peer.measure({ installed, databaseUrl: postgres.url("peer"), scratch });
  } finally {
    await postgres.stop();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The packages of `package.json` beside this file. */
export async function installNodePeers(): Promise<string> {
  const folder = join(CACHE, "node");
  await mkdir(folder, { recursive: true });
  await copyFile(join(FILES, "package.json"), join(folder, "package.json"));
  if (!(await exists(join(folder, "installed")))) {
    await run("npm", ["install", "--no-audit", "--no-fund", "--prefix", folder]);
    await writeFile(join(folder, "installed"), "");
  }
  return folder;
}

/** A virtual environment with what `requirements-NAME.txt` beside this file lists. */
export async function installPythonPeer(name: string): Promise<string> {
  const folder = join(CACHE, name);
  if (!(await exists(join(folder, "bin", name)))) {
    await run("python3", ["-m", "venv", folder]);
    await run(join(folder, "bin/pip"), ["install", "--quiet", "-r", join(FILES, `requirements-${name}.txt`)]);
  }
  return folder;
}

/** Runs a program to its end, its output shown as ours. Throws where it fails. */
export function run(command: string, args: string[], env: Record<string, string> = {}): Promise<void> {
  const child = spawn(command, args, { stdio: ["ignore", 2, 2], env: { ...process.env, ...env } });
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("exit", (code) => (code === 0 ? done() : fail(new Error(`${command} ended with ${code}`))));
  });
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
