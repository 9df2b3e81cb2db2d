/** The platform as a user starts it: `qflow start` in a process of its own, on a QFLOW_HOME of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { untilAtRest } from "../../src/cli/platform/at-rest.ts";
import { type Config, loadConfig } from "../../src/config.ts";
import { runningEnvironment } from "../../src/engines/index.ts";
import { type Database, openDatabase } from "../../src/metadata/database.ts";
import { type HiveSession, openHive } from "../../src/operators/clients/hive.ts";
import { freePort } from "../../src/processes/ports.ts";

const CLI = resolve(import.meta.dirname, "../../src/cli.ts");
const UP_TIMEOUT_MS = 900_000;
const REST_TIMEOUT_MS = 600_000;

/** A finished command. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder for one platform: its home, the feed it is served, the settings its commands get. */
export class PlatformFolder {
  readonly root: string;
  readonly home: string;
  readonly feed: string;
  readonly port: number;

  readonly #settings: Readonly<Record<string, string>>;

  private constructor(root: string, port: number, settings: Readonly<Record<string, string>>) {
    this.#settings = settings;
    this.root = root;
    this.home = join(root, "home");
    this.feed = join(root, "feed");
    this.port = port;
  }

  /** `settings` are environment variables beyond those that every platform gets. */
  static async create(settings: Readonly<Record<string, string>> = {}): Promise<PlatformFolder> {
    const folder = new PlatformFolder(await mkdtemp(join(tmpdir(), "qflow-platform-")), await freePort(), settings);
    await mkdir(folder.feed, { recursive: true });
    return folder;
  }

  /** The settings of every command of this platform. */
  get env(): Record<string, string> {
    const inherited = Object.entries(process.env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith("QFLOW_"),
    );
    const cache: Record<string, string> = process.env.QFLOW_CACHE ? { QFLOW_CACHE: process.env.QFLOW_CACHE } : {};
    const own = {
      QFLOW_HOME: this.home,
      QFLOW_FEED_DIR: this.feed,
      QFLOW_PORT: String(this.port),
      QFLOW_BATCH_GRACE: "5",
    };
    return { ...Object.fromEntries(inherited), ...cache, ...own, ...this.#settings };
  }

  get config(): Config {
    return loadConfig(this.env);
  }

  /** Runs `qflow …` to its end. */
  async command(...args: string[]): Promise<Finished> {
    const child = spawn(process.execPath, [CLI, ...args], { env: this.env, stdio: ["ignore", "pipe", "pipe", "ipc"] });
    const output = collect(child);
    const code = await new Promise<number | null>((done) => child.once("exit", done));
    return { code, ...output() };
  }

  /** Puts batches of another feed folder into the one that is served, each at once. */
  async deliver(source: string, batches: readonly number[]): Promise<void> {
    for (const n of batches) await cp(join(source, `group${n}`), join(this.feed, `group${n}`), { recursive: true });
  }

  /** Processes that carry the marker of this home: pid and command line. */
  async processes(): Promise<{ pid: number; command: string }[]> {
    const instance = await readFile(join(this.home, "instance.json"), "utf8").catch(() => null);
    if (instance === null) return [];
    const marker = `QFLOW_INSTANCE=${(JSON.parse(instance) as { id: string }).id}\0`;
    const found: { pid: number; command: string }[] = [];
    for (const entry of await readdir("/proc")) {
      if (!/^\d+$/.test(entry)) continue;
      const environ = await readFile(`/proc/${entry}/environ`, "utf8").catch(() => "");
      if (!`${environ}\0`.includes(marker)) continue;
      const command = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
      if (command !== "") found.push({ pid: Number(entry), command: command.replaceAll("\0", " ") });
    }
    return found;
  }

  remove(): Promise<void> {
    return rm(this.root, { recursive: true, force: true });
  }
}

/** A platform that stays up until stopped. */
export interface RunningPlatform {
  readonly folder: PlatformFolder;
  /** Settings with the addresses of the engines, as a worker gets them. */
  readonly config: Config;
  readonly database: Database;
  /** What `qflow start` printed so far. */
  output(): string;
  hive<T>(work: (session: HiveSession) => Promise<T>): Promise<T>;
  /** Asks for new batches and waits until all they cause has ended. Returns the runs that failed. */
  rest(): ReturnType<typeof untilAtRest>;
  /** Ctrl-C. */
  stop(): Promise<number | null>;
}

/** Starts `qflow start`, or `qflow up` with some engines, and waits until it is up. */
export async function startTestPlatform(
  folder: PlatformFolder,
  command: readonly string[] = ["start"],
): Promise<RunningPlatform> {
  // Over the IPC channel it hears of our end, however we end, and stops.
  const child = spawn(process.execPath, [CLI, ...command], {
    env: folder.env,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const output = collect(child);
  const exited = new Promise<number | null>((done) => child.once("exit", done));
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  const deadline = Date.now() + UP_TIMEOUT_MS;
  while (!output().stderr.includes("Ctrl-C stops everything")) {
    if (ended || Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`the platform did not come up:\n${output().stderr}`);
    }
    await sleep(200);
  }
  const addresses = await runningEnvironment(folder.config, ["postgres", "hive"]);
  const config = loadConfig({ ...folder.env, ...addresses });
  const database = openDatabase(config.databaseUrl ?? "", { max: 3, applicationName: "qflow-e2e" });
  return {
    folder,
    config,
    database,
    output: () => output().stderr,
    hive: async (work) => {
      const connection = config.connections.hive_default;
      if (!connection) throw new Error("no Hive connection");
      const session = await openHive(connection);
      try {
        return await work(session);
      } finally {
        await session.close();
      }
    },
    rest: () => untilAtRest(database, () => {}, AbortSignal.timeout(REST_TIMEOUT_MS)),
    stop: async () => {
      await database.close();
      child.kill("SIGINT");
      return exited;
    },
  };
}

function collect(child: ChildProcess): () => { stdout: string; stderr: string } {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return () => ({ stdout, stderr });
}
