/** Keeps qflow's own processes (scheduler, worker, api) running: starts them, restarts what dies, stops them in order. */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { dirname } from "node:path";

/** One process to keep alive. */
export interface ProcessSpec {
  name: string;
  command: string;
  args: string[];
  env: Record<string, string>;
  /** Its stdout and stderr are appended here. */
  logFile: string;
}

/** A process that is kept alive. */
export interface Supervised {
  readonly name: string;
  /** Process id of the one that runs now, or null between two. */
  pid(): number | null;
  /** How often it died and was started again. */
  restarts(): number;
  /** TERM, then KILL after `graceMs`. Resolves when it is gone. */
  stop(graceMs: number): Promise<void>;
}

const FIRST_RESTART_MS = 250;
const LONGEST_RESTART_MS = 15_000;
/** A process that lived this long starts over with the shortest delay. */
const HEALTHY_MS = 30_000;

/** Delay before the next restart after `failures` deaths in a row. */
export function restartDelay(failures: number): number {
  return Math.min(LONGEST_RESTART_MS, FIRST_RESTART_MS * 2 ** Math.min(failures - 1, 10));
}

/** Starts a process and keeps it alive until stopped. `onDeath` hears of every unexpected end. */
export function supervise(spec: ProcessSpec, onDeath: (text: string) => void): Supervised {
  mkdirSync(dirname(spec.logFile), { recursive: true });
  const log = createWriteStream(spec.logFile, { flags: "a" });
  let child: ChildProcess | null = null;
  let timer: NodeJS.Timeout | undefined;
  let stopping = false;
  let restarts = 0;
  let failures = 0;

  const start = () => {
    const startedAt = Date.now();
    // A group of its own: a terminal's Ctrl-C is for this process, which ends the others in order. IPC gives the child an end of
    // file when this process dies, however it dies.
    const started = spawn(spec.command, spec.args, {
      env: spec.env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    child = started;
    started.stdout?.pipe(log, { end: false });
    started.stderr?.pipe(log, { end: false });
    started.on("error", (error) => log.write(`${error.message}\n`));
    started.on("exit", (code, signal) => {
      child = null;
      if (stopping) return;
      failures = Date.now() - startedAt > HEALTHY_MS ? 1 : failures + 1;
      restarts++;
      onDeath(`${spec.name} ended (${signal ?? `exit ${code}`}); starting it again`);
      timer = setTimeout(start, restartDelay(failures));
    });
  };

  start();
  return {
    name: spec.name,
    pid: () => child?.pid ?? null,
    restarts: () => restarts,
    stop: async (graceMs) => {
      stopping = true;
      clearTimeout(timer);
      if (child) await endChild(child, graceMs);
      log.end();
    },
  };
}

async function endChild(child: ChildProcess, graceMs: number): Promise<void> {
  const gone = new Promise<void>((done) => child.once("exit", () => done()));
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  const killer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await gone;
  clearTimeout(killer);
}
