/** `qflow start | up | login | tokens | reset`: the platform as a whole. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { type Command, Option } from "commander";
import { ENGINE_GROUPS, engineStatus } from "../../engines/index.ts";
import { QflowError } from "../../errors.ts";
import { ACCESS_ROLES, type AccessRole, createLoginLink, createToken, createUser } from "../../metadata/access.ts";
import { printFields, say } from "../output.ts";
import { startPlatform } from "../platform/start.ts";
import { type CommandContext, type ListOptions, outputOption, wholeNumber } from "../program.ts";
import { withDatabase } from "../with-database.ts";

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
    .command("login")
    .description("print a link that logs in once to the web UI")
    .option("--user <name>", "as whom", "admin")
    .action((options: { user: string }) =>
      withDatabase(context(), async (database) => {
        const { host, port } = context().config;
        process.stdout.write(`${await createLoginLink(database, `http://${host}:${port}`, options.user)}\n`);
      }),
    );
  accessCommands(program, context);
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

function accessCommands(program: Command, context: () => CommandContext): void {
  const roles = ACCESS_ROLES.join("|");
  program
    .command("users")
    .description("people")
    .command("create <name>")
    .option("--role <role>", roles, "viewer")
    .action((name: string, options: { role: string }) =>
      withDatabase(context(), (database) => createUser(database, name, roleFrom(options.role))),
    );
  program
    .command("tokens")
    .description("tokens for programs")
    .command("create <name>")
    .description("a token that acts as a user, shown this once")
    .option("--user <user>", "as whom", "admin")
    .option("--days <n>", "ends after so many days; 0 = never", wholeNumber("--days"), 90)
    .addOption(outputOption())
    .action((name: string, options: ListOptions & { user: string; days: number }) =>
      withDatabase(context(), async (database) => {
        const request = { name, user: options.user, days: options.days || null };
        const { token } = await createToken(database, request);
        printFields({ name, user: options.user, token }, options.output);
        say("It is shown once; keep it like a password.");
      }),
    );
}

function roleFrom(text: string): AccessRole {
  const role = ACCESS_ROLES.find((one) => one === text);
  if (!role) throw new QflowError("USAGE", `"${text}" is no role; choose one of ${ACCESS_ROLES.join(", ")}`);
  return role;
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
