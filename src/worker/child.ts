/** A child process of the worker (runner or host): started in a group of its own, its output split into log lines. */
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { LogLine } from "../metadata/work.ts";
import { signalProcess } from "../processes/ending.ts";
import { LogSplitter } from "./log-split.ts";
import type { FromChild } from "./protocol.ts";

/** How a child ended: one of the two is null. */
export interface ChildExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** What happens to a child. */
export interface ChildEvents {
  message(message: FromChild): void;
  /** A line of an attempt; null = printed by the process itself, of whatever it was doing. */
  line(attemptId: string | null, line: LogLine, bytesCut: number): void;
  /** The attempt writes no more on either stream. */
  logEnded(attemptId: string): void;
  /** It is gone and all it wrote was read. */
  exit(exit: ChildExit): void;
}

/** What to start. */
export interface ChildSpec {
  /** Module of this folder. */
  module: "runner-main.ts" | "host-main.ts";
  env: Readonly<Record<string, string>>;
  /** Folder under which its private folder for temporary files is made; the child's working folder unless `cwd` names one. */
  folder: string;
  cwd?: string;
}

/**
 * The host passes large files and results on in small pieces: with a small young generation they do not pile up as garbage (a
 * landing and an export of 200 MB: 160–185 MB of memory instead of 200–255). Task functions keep what they are used to.
 */
const FLAGS = { "runner-main.ts": [], "host-main.ts": ["--max-semi-space-size=2"] } as const;

/** After a child is gone, a grandchild that holds its output open may delay the end of the log this long. */
const OUTPUT_GRACE_MS = 1000;

/** A started child. */
export class Child {
  readonly pid: number;
  readonly nonce: string = randomBytes(9).toString("base64url");
  readonly #process: ChildProcess;
  readonly #events: ChildEvents;
  readonly #folder: string;
  readonly #endedOnce = new Set<string>();
  #exit: ChildExit | null = null;
  #outputClosed = false;

  /** Throws what fork throws. */
  constructor(spec: ChildSpec, events: ChildEvents) {
    this.#events = events;
    this.#folder = join(spec.folder, `child-${randomBytes(6).toString("hex")}`);
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    this.#process = fork(fileURLToPath(new URL(spec.module, import.meta.url)), [], {
      cwd: spec.cwd ?? this.#folder,
      env: { ...spec.env, TMPDIR: this.#folder },
      detached: true,
      execArgv: ["--disable-warning=ExperimentalWarning", ...FLAGS[spec.module]],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      serialization: "json",
    });
    this.pid = this.#process.pid ?? 0;
    this.#process.on("message", (message) => events.message(message as FromChild));
    this.#process.on("error", () => {});
    this.#process.on("exit", (code, signal) => this.#onExit({ code, signal }));
    this.#process.on("close", () => this.#onClose());
    this.#read(this.#process.stdout, "stdout");
    this.#read(this.#process.stderr, "stderr");
  }

  /** How it ended, or null while it runs. */
  get exited(): ChildExit | null {
    return this.#exit;
  }

  /** Whether it closed one of its own output streams: no log of it will ever be complete. */
  get outputClosed(): boolean {
    return this.#outputClosed;
  }

  /** Sends a message; one to a child that is gone is dropped, its exit is told by the event. */
  send(message: object): void {
    if (this.#process.connected) this.#process.send(message, () => {});
  }

  /** Signals the whole group, also after its leader is gone. */
  signalGroup(signal: NodeJS.Signals): void {
    if (this.pid > 0) signalProcess(-this.pid, signal);
  }

  #read(stream: Readable | null, level: "stdout" | "stderr"): void {
    const splitter = new LogSplitter(this.nonce, {
      line: (text, bytesCut) => this.#events.line(null, { at: new Date().toISOString(), level, text }, bytesCut),
      frame: (frame) => {
        if ("line" in frame) this.#events.line(frame.attempt, frame.line, 0);
        else this.#onLogEnd(frame.attempt);
      },
    });
    stream?.on("data", (chunk: Buffer) => splitter.push(chunk));
    stream?.on("close", () => {
      this.#outputClosed = true;
      splitter.end();
    });
  }

  #onLogEnd(attemptId: string): void {
    if (!this.#endedOnce.delete(attemptId)) this.#endedOnce.add(attemptId);
    else this.#events.logEnded(attemptId);
  }

  #onExit(exit: ChildExit): void {
    this.#exit = exit;
    // What the group still runs has lost its reason.
    this.signalGroup("SIGKILL");
    setTimeout(() => {
      this.#process.stdout?.destroy();
      this.#process.stderr?.destroy();
    }, OUTPUT_GRACE_MS).unref();
  }

  #onClose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
    this.#events.exit(this.#exit ?? { code: this.#process.exitCode, signal: this.#process.signalCode });
  }
}
