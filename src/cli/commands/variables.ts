/** `qflow variables …`. Values of secret ones come from the terminal or standard input, never from an argument. */
import { chmod, readFile, writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { QflowError } from "../../errors.ts";
import { audited } from "../../metadata/audited.ts";
import { openKeyring, openOrCreateKeyring } from "../../metadata/secrets/keyring.ts";
import { isSecretName } from "../../metadata/secrets/names.ts";
import { deleteVariable, getVariable, listVariables, writeVariable } from "../../metadata/variables.ts";
import { printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption } from "../program.ts";
import { readSecret } from "../secret-input.ts";
import { withDatabase } from "../with-database.ts";

const HIDDEN = "***";
const ALL = { pattern: null, slice: { limit: 100_000, offset: 0, orderBy: [] } };

interface SetVariable {
  secret?: boolean;
  description?: string;
}

/** Registers the commands. */
export function variableCommands(program: Command, context: () => CommandContext): void {
  const variables = program.command("variables").description("values that tasks read");
  readingCommands(variables, context);
  variables
    .command("set <key> [value]")
    .description("make or replace a variable; without a value it is asked for, or read from standard input")
    .option("--secret", "hide it in logs and answers; names like api_token are hidden anyway")
    .option("--description <text>", "what it is for")
    .action((key: string, value: string | undefined, options: SetVariable) =>
      setVariable(context(), { key, value }, options),
    );
  variables
    .command("delete <key>")
    .description("remove a variable")
    .action((key: string) =>
      withDatabase(context(), (database) =>
        audited(database, { actor: "cli", action: "variable.delete", details: { key } }, (sql) =>
          deleteVariable(sql, key),
        ),
      ),
    );
  variables
    .command("import <file>")
    .description("make or replace the variables of a JSON object; values that are no strings are kept as JSON")
    .action((file: string) => importVariables(context(), file));
  variables
    .command("export <file>")
    .description("write all variables to a JSON file that only you can read; secret values too")
    .action((file: string) => exportVariables(context(), file));
}

function readingCommands(variables: Command, context: () => CommandContext): void {
  variables
    .command("list")
    .description("every variable of the database, secret ones hidden")
    .addOption(outputOption())
    .action((options: ListOptions) =>
      withDatabase(context(), async (database) => {
        const { rows } = await listVariables(database, await openKeyring(context().config), ALL);
        const hidden = rows.map((row) => ({ ...row, value: row.secret ? HIDDEN : row.value }));
        const cut = (text: string | null) => (text !== null && text.length > 60 ? `${text.slice(0, 60)}…` : text);
        printRows(
          hidden,
          [
            { heading: "key", cell: (row) => row.key },
            { heading: "value", cell: (row) => cut(row.value) },
            { heading: "description", cell: (row) => row.description },
          ],
          { format: options.output, empty: "There is no variable." },
        );
      }),
    );
  variables
    .command("get <key>")
    .description("print the value, also of a secret one")
    .action((key: string) =>
      withDatabase(context(), async (database) => {
        const { value } = await getVariable(database, await openKeyring(context().config), key);
        if (value === null) throw unreadable(key);
        process.stdout.write(`${value}\n`);
      }),
    );
}

function unreadable(key: string): QflowError {
  return new QflowError("SECRET_UNREADABLE", `variable ${key} does not open with the keys of this machine`);
}

async function exportVariables(context: CommandContext, file: string): Promise<void> {
  await withDatabase(context, async (database) => {
    const { rows } = await listVariables(database, await openKeyring(context.config), ALL);
    const closed = rows.find(({ value }) => value === null);
    if (closed) throw unreadable(closed.key);
    const values = Object.fromEntries(rows.map(({ key, value }) => [key, value]));
    await writeFile(file, `${JSON.stringify(values, null, 2)}\n`, { mode: 0o600 });
    await chmod(file, 0o600);
    say(`${rows.length} variables in ${file}`);
  });
}

async function setVariable(
  context: CommandContext,
  given: { key: string; value: string | undefined },
  options: SetVariable,
): Promise<void> {
  const { key } = given;
  const secret = options.secret === true || isSecretName(key);
  if (secret && given.value !== undefined) {
    throw new QflowError("USAGE", `variable ${key} is secret, and everybody on this machine can read arguments`, {
      remedy: "Leave the value out: it is asked for, or read from standard input.",
    });
  }
  const value = given.value ?? (await readSecret(`Value of ${key}: `));
  await withDatabase(context, async (database) => {
    const { active } = await openOrCreateKeyring(context.config);
    const draft = { key, value, description: options.description ?? null, secret };
    await audited(database, { actor: "cli", action: "variable.set", details: { key } }, (sql) =>
      writeVariable(sql, active, draft, "put"),
    );
  });
  say(`Variable ${key} is set.`);
}

async function importVariables(context: CommandContext, file: string): Promise<void> {
  const entries = Object.entries(jsonObjectOf(file, await readFile(file, "utf8")));
  await withDatabase(context, async (database) => {
    const { active } = await openOrCreateKeyring(context.config);
    await audited(
      database,
      { actor: "cli", action: "variable.import", details: { keys: entries.map(([key]) => key) } },
      async (sql) => {
        for (const [key, value] of entries) {
          const text = typeof value === "string" ? value : JSON.stringify(value);
          await writeVariable(sql, active, { key, value: text, description: null, secret: isSecretName(key) }, "put");
        }
      },
    );
  });
  say(`${entries.length} variables imported.`);
}

function jsonObjectOf(file: string, text: string): Record<string, unknown> {
  const refuse = () => new QflowError("USAGE", `${file} is no JSON object`, { remedy: 'Write e.g. {"region": "eu"}.' });
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    throw refuse();
  }
  throw refuse();
}
