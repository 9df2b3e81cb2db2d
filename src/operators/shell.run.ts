/** The work of `shell`. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import { Skip } from "../dag/signals.ts";
import type { Json } from "../dag/spec.ts";
import { messageOf, QflowError } from "../errors.ts";
import { endGroup } from "../processes/ending.ts";
import { ATTEMPT_MARKER } from "../processes/markers.ts";
import { identify, type ProcessIdentity } from "../processes/table.ts";
import { KeptOutput, ProgramStream } from "./program-output.ts";
import type { OperatorContext } from "./run.ts";
import type { shellSchema } from "./shell.ts";

type ShellConfig = z.output<typeof shellSchema>;
type Program = ChildProcessByStdio<Writable, Readable, Readable>;

/** Between TERM and KILL. Less than the worker's patience with a cancelled operator. */
const TERM_GRACE_MS = 5_000;
/** The same for what an ended program has left. */
const LEFTOVER_GRACE_MS = 500;
/** A grandchild that holds the output open may delay the end this long. */
const OUTPUT_GRACE_MS = 2_000;
/** Of the failure's last lines, in characters. */
const SHOWN = 2_000;

/** Runs the program. However this ends, nothing of it is left. */
export async function run(config: ShellConfig, context: OperatorContext): Promise<Json> {
  const own = join(context.config.home, "tmp", `shell-${context.attempt.token}`);
  if (config.cwd === undefined) await mkdir(own, { recursive: true, mode: 0o700 });
  try {
    const started = await start(config, context, config.cwd ?? own);
    const identity = started.program.pid === undefined ? null : await identify(started.program.pid);
    try {
      return await result(config, context, started);
    } finally {
      await endForCertain(identity, context);
    }
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

interface Started {
  readonly program: Program;
  readonly ended: Promise<Ended>;
  readonly stdout: ProgramStream;
  readonly stderr: ProgramStream;
  readonly kept: KeptOutput;
}

async function start(config: ShellConfig, context: OperatorContext, cwd: string): Promise<Started> {
  const [file = "", ...args] = config.command;
  const program = spawn(file, args, {
    cwd,
    env: environment(config, context),
    // A group of its own, which can be ended with everything it started.
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  // A short program is gone before anything else is asked, and what nobody listens to is lost then.
  const ended = endOf(program);
  const printed = listen(config, context, program);
  await new Promise<void>((started, failed) => {
    program.once("spawn", started);
    program.once("error", (error) => failed(notStarted(file, cwd, error)));
  });
  // One that does not read what it is given may be gone before all is written.
  program.stdin.on("error", () => {});
  program.stdin.end(config.stdin);
  return { program, ended, ...printed };
}

function listen(config: ShellConfig, context: OperatorContext, program: Program) {
  const stdout = new ProgramStream((line) => context.log.info(line));
  const stderr = new ProgramStream((line) => context.log.warn(line));
  const kept = new KeptOutput(config.maxBytes);
  program.stdout.on("data", (portion: Buffer) => {
    stdout.push(portion);
    if (config.output === "json" || config.output === "text") kept.push(portion);
  });
  program.stderr.on("data", (portion: Buffer) => stderr.push(portion));
  return { stdout, stderr, kept };
}

function environment({ env, passwords }: ShellConfig, context: OperatorContext): Record<string, string> {
  const secrets = Object.entries(passwords).map(([name, id]) => [name, context.connection(id).password]);
  const facts = { QFLOW_DAG_ID: context.dagId, QFLOW_RUN_ID: context.runId, QFLOW_TASK_ID: context.taskId };
  return {
    ...context.config.environment,
    // Its stdin is a socket, which bash takes for a login from afar and reads ~/.bashrc, unless another shell is around it.
    SHLVL: "1",
    ...facts,
    ...env,
    ...(Object.fromEntries(secrets) as Record<string, string>),
    [ATTEMPT_MARKER]: context.attempt.token,
  };
}

function notStarted(file: string, cwd: string, error: NodeJS.ErrnoException): QflowError {
  const missing =
    error.code === "ENOENT" ? `there is no program ${file} on the PATH, or no folder ${cwd}` : messageOf(error);
  return new QflowError("SHELL_NOT_STARTED", `${file} cannot be started: ${missing}`);
}

async function result(config: ShellConfig, context: OperatorContext, started: Started): Promise<Json> {
  const { stdout, stderr, kept } = started;
  const end = await Promise.race([started.ended, aborted(context.signal)]);
  context.signal.throwIfAborted();
  stdout.end();
  stderr.end();
  if (end !== null) assertSucceeded(config, end, [...stdout.last, ...stderr.last]);
  return valueFrom(config, stdout.last, kept);
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

async function endOf(program: Program): Promise<Ended> {
  const closed = new Promise<void>((done) => program.once("close", () => done()));
  const ended = await new Promise<Ended>((done) => program.once("exit", (code, signal) => done({ code, signal })));
  await Promise.race([closed, sleep(OUTPUT_GRACE_MS, undefined, { ref: false })]);
  return ended;
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((settle) => {
    if (signal.aborted) settle(null);
    signal.addEventListener("abort", () => settle(null), { once: true });
  });
}

function assertSucceeded(config: ShellConfig, { code, signal }: Ended, lines: readonly string[]): void {
  if (code === 0) return;
  const last = lines.join("\n").slice(-SHOWN);
  const told = last === "" ? "" : `; it last printed:\n${last}`;
  if (signal !== null) {
    const likely = signal === "SIGKILL" ? " (likely out of memory)" : "";
    const text = `${config.command[0]} was killed by signal ${constants.signals[signal]}${likely}${told}`;
    throw new QflowError("SHELL_KILLED", text, { details: { signal } });
  }
  if (code !== null && config.skipOn.includes(code))
    throw new Skip(`${config.command[0]} ended with exit code ${code}`);
  const fatal = code !== null && config.fatalOn.includes(code);
  const text = `${config.command[0]} ended with exit code ${code}${told}`;
  throw new QflowError(fatal ? "SHELL_REFUSED" : "SHELL_FAILED", text, { details: { exitCode: code } });
}

function valueFrom(config: ShellConfig, last: readonly string[], kept: KeptOutput): Json {
  if (config.output === "none") return null;
  if (config.output === "lastLine") return last.findLast((line) => line.trim() !== "") ?? null;
  if (kept.isTooLarge)
    throw new QflowError("SHELL_OUTPUT", `${config.command[0]} printed more than ${config.maxBytes} bytes`);
  if (config.output === "text") return kept.text;
  try {
    return JSON.parse(kept.text) as Json;
  } catch (error) {
    throw new QflowError("SHELL_OUTPUT", `${config.command[0]} printed what is not JSON: ${messageOf(error)}`);
  }
}

/** After a normal end this finds what the program left running in the background. */
async function endForCertain(identity: ProcessIdentity | null, context: OperatorContext): Promise<void> {
  const graceMs = context.signal.aborted ? TERM_GRACE_MS : LEFTOVER_GRACE_MS;
  const left = await endGroup(identity, { name: ATTEMPT_MARKER, value: context.attempt.token }, graceMs);
  if (left.length > 0)
    context.log.warn(`processes do not end: ${left.map(({ pid }) => pid).join(", ")}; the worker looks after them`);
}
