/**
 * The guard of one program: its parent, in a process of its own. It kills the program, and all it started, when the worker is gone
 * or has not renewed its trust in time, also where the worker is stopped, hangs or cannot reach the database: a second one may be
 * started elsewhere then.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { messageOf } from "../../errors.ts";
import { endGroup, signalProcess } from "../../processes/ending.ts";
import { identify, type ProcessIdentity } from "../../processes/table.ts";
import { type FromGuard, monotonicMs, type ToGuard } from "./guard-protocol.ts";

/** Ends a program whose guard is killed, too. */
const SETPRIV = "/usr/bin/setpriv";
const LOOK_MS = 200;

let program: ProcessIdentity | null = null;
let marker = { name: "", value: "" };
let trustedUntil = 0;
let distrusted = false;

function tell(message: FromGuard): Promise<void> {
  return new Promise((sent) => {
    if (process.connected) process.send?.(message, () => sent());
    else sent();
  });
}

process.on("message", (message: ToGuard) => {
  trustedUntil = message.trustedUntil;
  if (message.type === "start") start(message);
});
// It ends when its program has ended, and not with those around it.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
process.on("disconnect", () => {
  void end().then(() => process.exit(0));
});
setInterval(() => {
  if (program === null || distrusted || monotonicMs() < trustedUntil) return;
  distrusted = true;
  void tell({ type: "distrusted" });
  void end();
}, LOOK_MS);
// The worker may have gone before there was anybody to hear of it, and before it said anything.
if (!process.connected) process.exit(0);

function start(message: Extract<ToGuard, { type: "start" }>): void {
  const { file, args, env, cwd } = message;
  marker = message.marker;
  const wrapped = existsSync(SETPRIV) ? [SETPRIV, "--pdeathsig", "KILL", "--", file] : [file];
  const [command = file, ...before] = wrapped;
  // What it prints goes to the worker directly.
  const child = spawn(command, [...before, ...args], {
    cwd,
    env,
    detached: true,
    stdio: ["ignore", "inherit", "inherit"],
  });
  child.once("error", (error) => void notStarted(messageOf(error)));
  child.once("exit", (code, signal) => void ended(code, signal));
  void started(child);
}

async function started({ pid }: ChildProcess): Promise<void> {
  if (pid === undefined) return;
  program = (await identify(pid)) ?? { pid, startedAt: "" };
  await tell({ type: "started", ...program });
}

async function notStarted(message: string): Promise<void> {
  await tell({ type: "notStarted", message });
  process.exit(0);
}

async function ended(code: number | null, signal: NodeJS.Signals | null): Promise<void> {
  await tell({ type: "exit", code, signal });
  await end();
  process.exit(0);
}

/** At once, and whatever has left its group as well. */
async function end(): Promise<void> {
  if (program !== null) signalProcess(-program.pid, "SIGKILL");
  if (marker.name !== "") await endGroup(program, marker, 0);
}
