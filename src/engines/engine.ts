/** What all engines have in common: a process that is started, asked after and ended. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { QflowError } from "../errors.ts";
import { isAlive, type ProcessIdentity } from "../processes/table.ts";
import { readJson, writePrivate } from "./files.ts";
import type { EngineName } from "./home.ts";
import type { EngineProcess } from "./process.ts";

/** One engine. `start` after an end starts it again at the same address. */
export interface Engine {
  readonly name: EngineName;
  /** Resolves when the engine is ready for work. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Whether it answers a request of its protocol. */
  health(): Promise<boolean>;
  /** How the process that was started last has ended, once it has. */
  exited(): Promise<string>;
}

/** Is told of a process before it is ready, so that it can be stopped while it starts. */
export type OnStarted = (started: EngineProcess) => void;

/** What an engine's module provides. */
export interface EngineDefinition {
  readonly name: EngineName;
  /** Starts the process, hands it to `onStarted` at once, and resolves when it is ready. */
  launch(onStarted: OnStarted): Promise<unknown>;
  health(): Promise<boolean>;
}

/** Makes an engine whose process is noted in `runDir`, where other processes find it. */
export function makeEngine(definition: EngineDefinition, runDir: string): Engine {
  let current = null as EngineProcess | null;
  const pidFile = pidFileOf(runDir, definition.name);
  return {
    name: definition.name,
    health: definition.health,
    async start() {
      await definition.launch((started) => {
        current = started;
      });
      if (current) await writePrivate(pidFile, JSON.stringify(current.identity));
    },
    async stop() {
      await current?.stop();
      await rm(pidFile, { force: true });
    },
    exited: () => current?.exited ?? Promise.resolve("never started"),
  };
}

/** The living process of an engine as noted by whoever started it, or null. */
export async function runningProcess(runDir: string, name: EngineName): Promise<ProcessIdentity | null> {
  const identity = (await readJson(pidFileOf(runDir, name)).catch(() => null)) as ProcessIdentity | null;
  return identity !== null && (await isAlive(identity)) ? identity : null;
}

function pidFileOf(runDir: string, name: EngineName): string {
  return join(runDir, `${name}.json`);
}

/** How to wait for an engine that starts. */
export interface ReadyOptions {
  /** As people call it. */
  readonly title: string;
  readonly timeoutMs: number;
  readonly pollMs: number;
  readonly logFile: string;
}

/** Waits until `ready` holds. Throws ENGINE_FAILED when the process ends or the time is up; then nothing of it is left. */
export async function untilReady(
  running: EngineProcess,
  ready: () => Promise<boolean>,
  options: ReadyOptions,
): Promise<void> {
  const deadline = Date.now() + options.timeoutMs;
  let ended: string | null = null;
  void running.exited.then((how) => {
    ended = how;
  });
  while (!(await ready())) {
    if (ended !== null) throw engineFailed(`${options.title} stopped while starting: ${ended}`, options.logFile);
    if (Date.now() > deadline) {
      await running.stop();
      throw engineFailed(`${options.title} did not become ready within ${options.timeoutMs / 1000} s`, options.logFile);
    }
    await sleep(options.pollMs);
  }
}

/** An ENGINE_FAILED that names the log. */
export function engineFailed(message: string, logFile: string): QflowError {
  return new QflowError("ENGINE_FAILED", message, { remedy: `Read ${logFile}.`, details: { log: logFile } });
}
