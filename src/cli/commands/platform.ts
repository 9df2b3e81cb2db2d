/** `qflow start | up | reset`: the platform as a whole. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { type Command, Option } from "commander";
import { ENGINE_GROUPS, engineStatus } from "../../engines/index.ts";
import { QflowError } from "../../errors.ts";
import { say } from "../output.ts";
import { startPlatform } from "../platform/start.ts";
import type { CommandContext } from "../program.ts";

/** Registers the commands. */
export function platformCommands(program: Command, context: () => CommandContext): void {
  program
    .command("start")
    .description("Q Company's platform, from an empty machine to a page in the browser; Ctrl-C stops it")
    .option("--once", "load what is visible now, write the reports, then stop")
    .addOption(withOption())
    .action(async (options: { once?: boolean; with: string[] }) => {
      const mode = options.once ? "once" : "stay";
      process.exitCode = await startPlatform(context(), { mode, extras: options.with });
    });
  program
    .command("up")
    .description("engines, scheduler, worker and API, without touching any DAG; Ctrl-C stops them")
    .addOption(withOption())
    .action(async (options: { with: string[] }) => {
      process.exitCode = await startPlatform(context(), { mode: "serve", extras: options.with });
    });
  program
    .command("reset")
    .description("empty the QFLOW_HOME, after asking")
    .option("--yes", "do not ask")
    .action((options: { yes?: boolean }) => reset(context(), options.yes ? "sure" : "ask"));
}

function withOption(): Option {
  const known = Object.keys(ENGINE_GROUPS).join(", ");
  return new Option("--with <engines>", `further engines, separated by commas: ${known}`)
    .argParser((text) => text.split(",").map((name) => name.trim()))
    .default([], "none");
}

async function reset({ config }: CommandContext, asking: "ask" | "sure"): Promise<void> {
  if (!existsSync(config.home)) return say(`${config.home} does not exist.`);
  const { supervisor } = await engineStatus(config);
  if (supervisor !== null) {
    throw new QflowError("HOME_IN_USE", `process ${supervisor} runs on ${config.home}`, {
      remedy: "Stop it: npx qflow engines stop",
    });
  }
  if (!existsSync(resolve(config.home, "instance.json"))) {
    throw new QflowError("USAGE", `${config.home} is not a QFLOW_HOME: it holds no instance.json`);
  }
  if (asking === "ask" && !(await confirmed(`Remove everything in ${config.home}? Type yes: `)))
    return say("Nothing was removed.");
  await rm(config.home, { recursive: true, force: true });
  say(`${config.home} is empty.`);
}

async function confirmed(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question(question)).trim() === "yes";
  } finally {
    terminal.close();
  }
}
