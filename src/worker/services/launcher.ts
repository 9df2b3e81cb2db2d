/** Starts the program of a service under a guard, and ends it for certain. */
import { type ChildProcess, fork } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Config } from "../../config.ts";
import type { Connection } from "../../dag/operator.ts";
import { QflowError } from "../../errors.ts";
import { isOnHdfs } from "../../lake/open.ts";
import type { ClaimedService } from "../../metadata/services/types.ts";
import { loadProgram } from "../../operators/programs.ts";
import { endGroup, signalProcess } from "../../processes/ending.ts";
import { ATTEMPT_MARKER, SERVICE_MARKER } from "../../processes/markers.ts";
import { isAlive, type ProcessIdentity } from "../../processes/table.ts";
import { LogSplitter } from "../log-split.ts";
import { sweepMarked } from "../sweep.ts";
import type { FromGuard, ToGuard } from "./guard-protocol.ts";
import { Sources } from "./sources.ts";

/** How a program ended. */
export interface ProgramExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The lease was not renewed in time. */
  readonly distrusted: boolean;
}

/** A started program. */
export interface RunningProgram {
  readonly pid: number;
  /** Resolves when its first process is gone and what it printed was told. Never rejects. */
  readonly exited: Promise<ProgramExit>;
  /** It may live until then, by {@link monotonicMs}. */
  trust(until: number): void;
  /** Asks it to finish what it has in hand, and to end. */
  drain(): void;
  /** Ends it at once; resolves to whether nothing of it is left. */
  kill(): Promise<boolean>;
  /** Whether files that are part of it are other than when it was started. */
  isChanged(): Promise<boolean>;
  /** Removes its private folder. */
  tidy(): Promise<void>;
}

/** What starts programs; tests give another one. */
export interface Launcher {
  /** Throws what makes the start impossible. */
  start(claimed: ClaimedService, trustedUntil: number, line: ProgramLine): Promise<RunningProgram>;
}

/** A line that a program printed. */
export type ProgramLine = (stream: "stdout" | "stderr", text: string, bytesCut: number) => void;

/** What a launcher needs. */
export interface LauncherParts {
  readonly config: Config;
  /** Folder under which the private folders are made. */
  readonly folder: string;
  /** Environment of every process of this worker. */
  readonly environment: Readonly<Record<string, string>>;
  connection(id: string): Connection;
}

const GUARD = fileURLToPath(new URL("./guard-main.ts", import.meta.url));
/** Python programs find `qflow_service` there. */
const PYTHON = fileURLToPath(new URL("../../operators/python", import.meta.url));
/** How long what an earlier attempt left on this host may take to end after its TERM. */
const LEFTOVER_MS = 2_000;
/** What a program leaves behind may hold its output open for that long. */
const OUTPUT_GRACE_MS = 1_000;

/** Folder for the state of a service: the same for every attempt and version. */
export function checkpointOf(config: Pick<Config, "lakeDir">, serviceId: string): string {
  // An address keeps its slashes.
  return isOnHdfs(config.lakeDir)
    ? `${config.lakeDir}/checkpoints/${serviceId}`
    : join(config.lakeDir, "checkpoints", serviceId);
}

/** Starts real programs. */
export class ProcessLauncher implements Launcher {
  readonly #parts: LauncherParts;

  constructor(parts: LauncherParts) {
    this.#parts = parts;
  }

  async start(claimed: ClaimedService, trustedUntil: number, line: ProgramLine): Promise<RunningProgram> {
    const { config, environment } = this.#parts;
    const { serviceId, number, token, spec } = claimed;
    const marker = `${claimed.instance}/${serviceId}`;
    // An earlier attempt on this host may have been given up by the database and live on: never two.
    await sweepMarked(SERVICE_MARKER, marker, LEFTOVER_MS);
    const folder = join(this.#parts.folder, `service-${token}`);
    const checkpoint = checkpointOf(config, serviceId);
    await mkdir(folder, { recursive: true });
    // On HDFS the program makes what it needs.
    if (!isOnHdfs(config.lakeDir)) await mkdir(checkpoint, { recursive: true });
    const prepare = await loadProgram(spec.program.name);
    const command = await prepare(spec.program.config, {
      config: { ...config, environment: { ...environment } },
      name: `${serviceId}.${number}`,
      folder,
      connection: this.#parts.connection,
    });
    const drainFile = join(folder, "drain");
    const env = {
      ...command.env,
      PYTHONPATH: [PYTHON, command.env.PYTHONPATH].filter(Boolean).join(":"),
      PYTHONDONTWRITEBYTECODE: "1",
      QFLOW_SERVICE_ID: serviceId,
      QFLOW_CHECKPOINT: checkpoint,
      QFLOW_FENCING_TOKEN: String(number),
      QFLOW_DRAIN: drainFile,
      [SERVICE_MARKER]: marker,
      [ATTEMPT_MARKER]: token,
    };
    const sources = await Sources.of(command.sources);
    const { file, args, cwd, drainSignal } = command;
    const guarded = new GuardedProgram({ environment, token, drainFile, drainSignal, sources, folder, line });
    await guarded.start({ file, args, env, cwd, trustedUntil });
    return guarded;
  }
}

interface GuardedParts {
  readonly environment: Readonly<Record<string, string>>;
  readonly token: string;
  readonly drainFile: string;
  readonly drainSignal: NodeJS.Signals | null;
  readonly sources: Sources;
  readonly folder: string;
  readonly line: ProgramLine;
}

/** A program under its guard. */
class GuardedProgram implements RunningProgram {
  readonly exited: Promise<ProgramExit>;
  readonly #parts: GuardedParts;
  readonly #guard: ChildProcess;
  readonly #started = Promise.withResolvers<void>();
  #identity: ProcessIdentity | null = null;
  #exit: Omit<ProgramExit, "distrusted"> | null = null;
  #distrusted = false;

  constructor(parts: GuardedParts) {
    this.#parts = parts;
    this.#guard = fork(GUARD, [], {
      env: { ...parts.environment },
      // A session of its own: signals meant for the worker's group are not for it.
      detached: true,
      execArgv: ["--disable-warning=ExperimentalWarning", "--max-semi-space-size=1"],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      serialization: "json",
    });
    this.#guard.on("message", (message) => this.#hear(message as FromGuard));
    this.#guard.on("error", () => {});
    this.#read(this.#guard.stdout, "stdout");
    this.#read(this.#guard.stderr, "stderr");
    this.exited = this.#untilExit();
    this.#started.promise.catch(() => {});
  }

  get pid(): number {
    return this.#identity?.pid ?? 0;
  }

  /** Resolves when the program runs. Throws SERVICE_NOT_STARTED. */
  async start(what: Omit<Extract<ToGuard, { type: "start" }>, "type" | "marker">): Promise<void> {
    this.#send({ type: "start", ...what, marker: { name: ATTEMPT_MARKER, value: this.#parts.token } });
    try {
      await this.#started.promise;
    } catch (error) {
      await this.kill();
      await this.tidy();
      throw error;
    }
  }

  trust(until: number): void {
    this.#send({ type: "trust", trustedUntil: until });
  }

  drain(): void {
    const { drainFile, drainSignal } = this.#parts;
    writeFile(drainFile, "").catch(() => {});
    const program = this.#identity;
    if (drainSignal === null || program === null) return;
    void isAlive(program).then((alive) => alive && signalProcess(program.pid, drainSignal));
  }

  async kill(): Promise<boolean> {
    const left = await endGroup(this.#identity, { name: ATTEMPT_MARKER, value: this.#parts.token }, 0);
    if (left.length > 0) return false;
    this.#guard.kill("SIGKILL");
    return true;
  }

  isChanged(): Promise<boolean> {
    return this.#parts.sources.areChanged();
  }

  async tidy(): Promise<void> {
    await rm(this.#parts.folder, { recursive: true, force: true });
  }

  #send(message: ToGuard): void {
    if (this.#guard.connected) this.#guard.send(message, () => {});
  }

  #hear(message: FromGuard): void {
    if (message.type === "started") {
      this.#identity = { pid: message.pid, startedAt: message.startedAt };
      this.#started.resolve();
    } else if (message.type === "notStarted") {
      this.#started.reject(new QflowError("SERVICE_NOT_STARTED", message.message));
    } else if (message.type === "distrusted") this.#distrusted = true;
    else this.#exit = { code: message.code, signal: message.signal };
  }

  async #untilExit(): Promise<ProgramExit> {
    const closed = new Promise<void>((done) => this.#guard.once("close", () => done()));
    const guard = await new Promise<Omit<ProgramExit, "distrusted">>((done) => {
      this.#guard.once("exit", (code, signal) => done({ code, signal }));
      this.#guard.once("error", () => done({ code: null, signal: null }));
    });
    this.#started.reject(new QflowError("SERVICE_NOT_STARTED", "its guard ended before it was started"));
    const late = setTimeout(() => {
      this.#guard.stdout?.destroy();
      this.#guard.stderr?.destroy();
    }, OUTPUT_GRACE_MS);
    await closed;
    clearTimeout(late);
    // A guard that was killed says nothing about its program, which dies with it.
    return { ...(this.#exit ?? { code: null, signal: guard.signal ?? "SIGKILL" }), distrusted: this.#distrusted };
  }

  #read(stream: Readable | null, name: "stdout" | "stderr"): void {
    // Frames are of other children of a worker; programs print lines.
    const splitter = new LogSplitter(this.#parts.token, {
      line: (text, bytesCut) => this.#parts.line(name, text, bytesCut),
      frame: () => {},
    });
    stream?.on("data", (chunk: Buffer) => splitter.push(chunk));
    stream?.on("close", () => splitter.end());
  }
}
