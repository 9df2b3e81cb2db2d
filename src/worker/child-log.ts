/** How a child process writes log lines: framed on its own stdout, so that they keep their order with everything printed. */
import { format } from "node:util";
import type { TaskLog } from "../dag/operator.ts";
import { messageOf } from "../errors.ts";
import type { LogLine } from "../metadata/work.ts";
import { encodeFrame, MAX_LINE_BYTES } from "./log-split.ts";

/** Writes the log lines of the attempts that run in this process. */
export interface ChildLog {
  of(attemptId: string): TaskLog;
  /** Writes a text, line by line. */
  write(attemptId: string, level: LogLine["level"], text: string): void;
  /** Tells the worker that the attempt writes no more. */
  end(attemptId: string): void;
}

/** The log of this process; `now` = milliseconds since the epoch. */
export function createChildLog(nonce: string, now: () => number = Date.now): ChildLog {
  const write = (attempt: string, level: LogLine["level"], text: string) => {
    const at = new Date(now()).toISOString();
    for (const part of text.split("\n")) {
      process.stdout.write(encodeFrame(nonce, { attempt, line: { at, level, text: shorten(part) } }));
    }
  };
  const writer = (attempt: string, level: LogLine["level"]) => (message: string, fields?: Record<string, unknown>) =>
    write(attempt, level, fields === undefined ? String(message) : `${message} ${fieldsText(fields)}`);
  return {
    write,
    of: (attempt) => ({
      debug: writer(attempt, "debug"),
      info: writer(attempt, "info"),
      warn: writer(attempt, "warn"),
      error: writer(attempt, "error"),
    }),
    end: (attempt) => {
      process.stdout.write(encodeFrame(nonce, { attempt, end: true }));
      process.stderr.write(encodeFrame(nonce, { attempt, end: true }));
    },
  };
}

/** Which console methods are captured, and the level of their lines. */
export type CapturedConsole = Partial<Record<"log" | "info" | "debug" | "warn" | "error", LogLine["level"]>>;

/** Makes the named console methods write lines of the attempt that `current` tells; outside an attempt they print. */
export function captureConsole(log: ChildLog, methods: CapturedConsole, current: () => string | null): void {
  for (const [method, level] of Object.entries(methods) as [keyof CapturedConsole, LogLine["level"]][]) {
    const print = console[method].bind(console);
    console[method] = (...values: unknown[]) => {
      const attempt = current();
      if (attempt === null) print(...values);
      else log.write(attempt, level, format(...values));
    };
  }
}

/** The worker cuts lines at 64 kB; what is far beyond that does not have to travel. */
function shorten(text: string): string {
  const most = 2 * MAX_LINE_BYTES;
  return text.length <= most ? text : `${text.slice(0, most)}… [${text.length - most} more characters]`;
}

function fieldsText(fields: Record<string, unknown>): string {
  try {
    return JSON.stringify(fields, (_, value: unknown) => {
      if (typeof value === "bigint") return String(value);
      return value instanceof Error ? value.message : value;
    });
  } catch (error) {
    return `[fields not shown: ${messageOf(error)}]`;
  }
}
