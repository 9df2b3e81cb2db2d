/** The parent's side of the sandbox: children that evaluate bundles under limits of time and memory. */
import { type ChildProcess, fork } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { INSTALLATION } from "./installation.ts";
import { fileError } from "./sandbox-errors.ts";
import type { EvaluateRequest, EvaluateResponse, Evaluation } from "./sandbox-protocol.ts";

/** Limits of one evaluation. */
export interface SandboxOptions {
  /** Milliseconds until a file counts as hanging, beside the start of the child; 30 000 unless set. */
  readonly timeLimitMs?: number;
  /** Megabytes; 512 unless set. */
  readonly memoryLimitMb?: number;
  /** Milliseconds after which a child that nothing needs is ended; a minute unless set. */
  readonly restAfterMs?: number;
  /** The whole environment of the children; empty unless set. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Evaluates bundles, one at a time, in a warm child that is replaced after any harm, and ended when it has nothing to do. */
export interface Sandbox {
  /** What the bundle of the DAG file `file` (absolute path) declares. Never rejects because of what is in the bundle. */
  evaluate(file: string, code: string): Promise<Evaluation>;
  /** Ends the child. */
  close(): void;
}

const MAIN = fileURLToPath(
  new URL(`./sandbox-main${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url),
);
/** Modules are never unloaded: a child is replaced after this many. */
const EVALUATIONS_PER_CHILD = 300;
const REST_AFTER_MS = 60_000;
/** What Node itself needs beside the heap. */
const BASE_MEMORY_MB = 128;
const MEMORY_LOOK_MS = 50;

/** A sandbox; its child starts with the first evaluation and does not keep this process alive. */
export function openSandbox(options: SandboxOptions = {}): Sandbox {
  const limits = { timeLimitMs: options.timeLimitMs ?? 30_000, memoryLimitMb: options.memoryLimitMb ?? 512 };
  let child: ChildProcess | null = null;
  let used = 0;
  let last: Promise<unknown> = Promise.resolve();
  let rest: NodeJS.Timeout | undefined;

  const replace = (): void => {
    clearTimeout(rest);
    child?.kill("SIGKILL");
    child = null;
    used = 0;
  };
  const evaluateNow = async (file: string, code: string): Promise<Evaluation> => {
    clearTimeout(rest);
    if (child === null || child.exitCode !== null || child.signalCode !== null)
      child = startChild(limits.memoryLimitMb, options.env ?? {});
    await started(child);
    const response = await ask(child, { id: used++, file, code }, limits);
    if (response.tainted || used >= EVALUATIONS_PER_CHILD) replace();
    else rest = setTimeout(replace, options.restAfterMs ?? REST_AFTER_MS).unref();
    return response.evaluation;
  };
  return {
    evaluate: (file, code) => {
      const next = last.then(() => evaluateNow(file, code));
      last = next.catch(() => {});
      return next;
    },
    close: replace,
  };
}

function startChild(memoryLimitMb: number, env: Readonly<Record<string, string>>): ChildProcess {
  const child = fork(MAIN, [], {
    execPath: process.execPath,
    execArgv: [
      "--permission",
      ...readableFolders().map((folder) => `--allow-fs-read=${folder}`),
      `--max-old-space-size=${memoryLimitMb}`,
      "--enable-source-maps",
      "--no-warnings",
    ],
    cwd: INSTALLATION,
    env: { ...env, TZ: "UTC" },
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    serialization: "json",
  });
  child.on("error", () => {});
  child.unref();
  child.channel?.unref();
  return child;
}

/** Resolves with the first word of a child, or when it ended; whoever asks it then hears that. */
function started(child: ChildProcess): Promise<void> {
  if (ready.has(child) || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  // Waiting must keep this process alive, which the child itself does not.
  const keepAlive = setInterval(() => {}, 1000);
  for (const event of ["message", "exit", "error"]) child.once(event, () => resolve());
  return promise.finally(() => {
    clearInterval(keepAlive);
    ready.add(child);
  });
}

const ready = new WeakSet<ChildProcess>();

/** The installation, and the folder of packages it was installed into beside others. */
function readableFolders(): string[] {
  const above = INSTALLATION.indexOf("/node_modules/");
  const packages = above < 0 ? `${INSTALLATION}node_modules/` : INSTALLATION.slice(0, above + "/node_modules/".length);
  // Where the folder is a link, modules are read from where it leads to.
  return [...new Set([INSTALLATION, packages, ...(existsSync(packages) ? [`${realpathSync(packages)}/`] : [])])];
}

interface Limits {
  readonly timeLimitMs: number;
  readonly memoryLimitMb: number;
}

/** One question; a child that gives no answer counts as tainted. */
function ask(child: ChildProcess, request: EvaluateRequest, limits: Limits): Promise<EvaluateResponse> {
  const { promise, resolve } = Promise.withResolvers<EvaluateResponse>();
  const fail = (message: string): void => {
    const error = fileError("DAG_LOAD_FAILED", message, request.file);
    resolve({ id: request.id, evaluation: { ok: false, error }, tainted: true });
  };
  const tooLarge = `needed more than ${limits.memoryLimitMb} MB of memory to load`;
  const onMessage = (response: EvaluateResponse): void => {
    if (response.id === request.id) resolve(response);
  };
  const onExit = (code: number | null, signal: string | null): void =>
    fail(
      signal === "SIGABRT" || code === 134
        ? tooLarge
        : `ended the process that loaded it (${signal ?? `exit code ${code}`})`,
    );
  const timer = setTimeout(
    () => fail(`was not loaded within ${limits.timeLimitMs / 1000} s: it hangs or loops`),
    limits.timeLimitMs,
  );
  const watch = setInterval(() => {
    if (residentMb(child.pid) > limits.memoryLimitMb + BASE_MEMORY_MB) fail(tooLarge);
  }, MEMORY_LOOK_MS);
  child.on("message", onMessage).on("exit", onExit);
  child.send(request, (error) => error && fail(`the sandbox could not be asked: ${error.message}`));
  return promise.finally(() => {
    clearTimeout(timer);
    clearInterval(watch);
    child.off("message", onMessage).off("exit", onExit);
  });
}

/** Resident memory of a process; 0 where the system does not tell. */
function residentMb(pid: number | undefined): number {
  try {
    return (Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4096) / 1_000_000;
  } catch {
    return 0;
  }
}
