/** The command tree, and the options and arguments that many commands share. */
import { Command, CommanderError, Option } from "commander";
import { type Config, loadConfig } from "../config.ts";
import { QflowError } from "../errors.ts";
import type { OutputFormat } from "./output.ts";

/** What every command gets: the settings, and the environment they came from (for processes it starts). */
export interface CommandContext {
  config: Config;
  env: Record<string, string | undefined>;
}

/** Adds the commands of one topic to the program. */
export type CommandGroup = (program: Command, context: () => CommandContext) => void;

/** `-o table|json`, the same on every listing. */
export function outputOption(): Option {
  return new Option("-o, --output <format>", "what stdout holds").choices(["table", "json"]).default("table");
}

/** The options every listing has. */
export interface ListOptions {
  output: OutputFormat;
}

/** A whole number from an argument. Throws USAGE naming the option. */
export function wholeNumber(name: string): (text: string) => number {
  return (text) => {
    if (!/^\d{1,15}$/.test(text)) throw new QflowError("USAGE", `${name} must be a whole number, not "${text}"`);
    return Number(text);
  };
}

/** An instant from an argument: a date, or a date and time; UTC where it has no offset. Throws USAGE naming the option. */
export function instantArgument(name: string): (text: string) => Date {
  return (text) => {
    const at = new Date(/T\d\d:\d\d(:[\d.]+)?$/.test(text) ? `${text}Z` : text);
    if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(at.getTime())) return at;
    throw new QflowError("USAGE", `${name} "${text}" is not an instant, e.g. 2026-11-22T00:00:00Z`);
  };
}

/** A JSON object from an argument. Throws USAGE naming the option. */
export function jsonObject(name: string): (text: string) => Record<string, unknown> {
  return (text) => {
    const value = parseJson(text);
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      throw new QflowError("USAGE", `${name} must be a JSON object, e.g. '{"batch": 3}'`);
    }
    return value as Record<string, unknown>;
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Builds the program from its groups. */
export function buildProgram(groups: readonly CommandGroup[], env: Record<string, string | undefined>): Command {
  const program = new Command("qflow");
  program.description("Workflows and a data platform in TypeScript, on one PostgreSQL.");
  program.option("--verbose", "show the stack of an error");
  program.configureHelp({ showGlobalOptions: true });
  program.exitOverride();
  const context = () => ({ config: loadConfig(env), env });
  for (const group of groups) group(program, context);
  return program;
}

/** Whether commander only said help or its version; then the command is done. */
export function isHelp(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 0;
}

/** Whether commander refused the arguments; it has printed why. */
export function isUsage(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode !== 0;
}
