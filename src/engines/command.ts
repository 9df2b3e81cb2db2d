/** Runs a short program of the machine and waits for it. */
import { spawn } from "node:child_process";
import { messageOf } from "../errors.ts";
import { startGuard } from "./guard.ts";

/** How a program ended and the end of what it said. */
export interface CommandResult {
  /** Exit code; null when it was killed or could not be started. */
  readonly code: number | null;
  /** Standard output and error together, the last 64 KiB. */
  readonly output: string;
}

const KEPT_OUTPUT = 64 * 1024;

/** Runs `command` with exactly this environment; it ends when we do. Never rejects: a program that is missing is `code` null. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: { env: Readonly<Record<string, string>>; cwd?: string },
): Promise<CommandResult> {
  return new Promise((settle) => {
    const guard = startGuard("SIGTERM");
    const child = spawn(command, args, { ...options, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    guard.watch(child);
    let output = "";
    const collect = (chunk: string) => {
      output = (output + chunk).slice(-KEPT_OUTPUT);
    };
    child.stdout.setEncoding("utf8").on("data", collect);
    child.stderr.setEncoding("utf8").on("data", collect);
    const end = (code: number | null, more = "") => {
      settle({ code, output: output + more });
    };
    child.once("error", (error) => end(null, messageOf(error)));
    child.once("close", (code) => end(code));
  });
}

/** The last lines of what a program said, for an error message. */
export function lastLines(output: string, count: number): string {
  return output
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .slice(-count)
    .join(" | ");
}
