/** The page of all commands, made of what the commands say of themselves. */
import type { Argument, Command, Option } from "commander";
import { loadGroups } from "../../../src/cli/groups.ts";
import { buildProgram } from "../../../src/cli/program.ts";

const HEAD = `# Commands

Every command, as \`qflow --help\` tells it: this page is made of the same words. In a checkout it is \`npx qflow …\`, and \`npm start -- …\` is \`qflow start …\`.
All take \`--verbose\` (show the stack of an error) and \`--help\`. Those marked \`-o\` print a table, or JSON for programs with \`-o json\`; progress and errors go to stderr.
Exit codes: 0 done, 1 it failed, 2 wrong usage or settings, 130 interrupted before it was done.
`;

/** The option of all listings, told once at the top. */
const OUTPUT = "--output";

/** Markdown of the whole tree, a section a command of the first level. */
export async function commandsPage(): Promise<string> {
  const program = buildProgram(await loadGroups([]), {});
  return [HEAD, ...program.commands.map(section)].join("\n");
}

function section(command: Command): string {
  const rows = leaves(command, `qflow ${command.name()}`).map(
    ({ name, leaf }) => `| \`${usage(name, leaf)}\` | ${words(leaf)} |`,
  );
  const subject = command.commands.length > 0 ? ["", `${cell(command.description())}.`] : [];
  return [`## ${command.name()}`, ...subject, "", "| command | what it does |", "|---|---|", ...rows, ""].join("\n");
}

interface Leaf {
  readonly name: string;
  readonly leaf: Command;
}

function leaves(command: Command, name: string): Leaf[] {
  if (command.commands.length === 0) return [{ name, leaf: command }];
  return command.commands.flatMap((child) => leaves(child, `${name} ${child.name()}`));
}

function usage(name: string, leaf: Command): string {
  const listing = leaf.options.some(({ long }) => long === OUTPUT) ? ["-o"] : [];
  return [name, ...leaf.registeredArguments.map(placeholder), ...listing].join(" ");
}

function placeholder(argument: Argument): string {
  const name = argument.variadic ? `${argument.name()}...` : argument.name();
  return argument.required ? `<${name}>` : `[${name}]`;
}

function words(leaf: Command): string {
  const own = leaf.options.filter(({ long }) => long !== OUTPUT);
  return [cell(leaf.description()), ...own.map(optionWords)].join("<br>");
}

function optionWords(option: Option): string {
  const choices = option.argChoices ? ` (${option.argChoices.join(", ")})` : "";
  const preset = option.defaultValue === undefined || option.negate ? "" : `; default ${presetOf(option)}`;
  return `\`${cell(option.flags)}\` ${cell(option.description)}${choices}${preset}`;
}

function presetOf({ defaultValue, defaultValueDescription }: Option): string {
  return defaultValueDescription ?? String(defaultValue);
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
