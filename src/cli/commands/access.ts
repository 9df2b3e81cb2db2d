/** `qflow login | users | tokens`: who may use the web UI and the API. */
import { type Command, Option } from "commander";
import {
  ACCESS_ROLES,
  type AccessRole,
  createLoginLink,
  createToken,
  createUser,
  deleteUser,
  listTokens,
  listUsers,
  revokeToken,
  type TokenRow,
  type UserRow,
} from "../../metadata/access.ts";
import { audited } from "../../metadata/audited.ts";
import type { Database } from "../../metadata/database.ts";
import { type Column, printFields, printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption, wholeNumber } from "../program.ts";
import { instant } from "../text.ts";
import { withDatabase } from "../with-database.ts";

const USERS: Column<UserRow>[] = [
  { heading: "name", cell: (row) => row.name },
  { heading: "role", cell: (row) => row.role },
  { heading: "since", cell: (row) => instant(row.created_at) },
  { heading: "tokens", cell: (row) => row.tokens },
];

const TOKENS: Column<TokenRow>[] = [
  { heading: "id", cell: (row) => row.token_id },
  { heading: "name", cell: (row) => row.name },
  { heading: "user", cell: (row) => row.user_name },
  { heading: "since", cell: (row) => instant(row.created_at) },
  { heading: "ends", cell: (row) => (row.expires_at === null ? "never" : instant(row.expires_at)) },
  { heading: "revoked", cell: (row) => (row.revoked_at === null ? "" : instant(row.revoked_at)) },
];

/** Registers the commands. */
export function accessCommands(program: Command, context: () => CommandContext): void {
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
  userCommands(program.command("users").description("people"), context);
  tokenCommands(program.command("tokens").description("tokens for programs"), context);
}

function userCommands(users: Command, context: () => CommandContext): void {
  users
    .command("list")
    .description("who may log in")
    .addOption(outputOption())
    .action((options: ListOptions) =>
      withDatabase(context(), async (database) => {
        printRows(await listUsers(database), USERS, { format: options.output, empty: "Nobody has logged in yet." });
      }),
    );
  users
    .command("create <name>")
    .description("make a person, or give one another role")
    .addOption(new Option("--role <role>", "what they may do").choices(ACCESS_ROLES).default("viewer"))
    .action((name: string, { role }: { role: AccessRole }) =>
      withDatabase(context(), async (database) => {
        await change(database, "user.create", { user: name, role }, (db) => createUser(db, name, role));
        say(`${name} is ${role}. A link that logs in: npx qflow login --user ${name}`);
      }),
    );
  users
    .command("delete <name>")
    .description("end what somebody may do, with all their sessions and tokens")
    .action((name: string) =>
      withDatabase(context(), (database) =>
        change(database, "user.delete", { user: name }, (db) => deleteUser(db, name)),
      ),
    );
}

function tokenCommands(tokens: Command, context: () => CommandContext): void {
  tokens
    .command("list")
    .description("tokens, the newest first; what they are made of is not kept")
    .addOption(outputOption())
    .action((options: ListOptions) =>
      withDatabase(context(), async (database) => {
        printRows(await listTokens(database), TOKENS, { format: options.output, empty: "There are no tokens." });
      }),
    );
  tokens
    .command("create <name>")
    .description("a token that acts as a user, shown this once")
    .option("--user <user>", "as whom", "admin")
    .option("--days <n>", "ends after so many days; 0 = never", wholeNumber("--days"), 90)
    .addOption(outputOption())
    .action((name: string, options: ListOptions & { user: string; days: number }) =>
      withDatabase(context(), async (database) => {
        const { user, days } = options;
        const { id, token } = await change(database, "token.create", { token: name, user }, (db) =>
          createToken(db, { name, user, days: days || null }),
        );
        printFields({ id, name, user, token }, options.output);
        say("It is shown once; keep it like a password.");
      }),
    );
  tokens
    .command("revoke")
    .description("end a token at once")
    .argument("<id>", "as in the list", wholeNumber("the id of a token"))
    .action((id: number) =>
      withDatabase(context(), (database) =>
        change(database, "token.revoke", { token_id: id }, (db) => revokeToken(db, id)),
      ),
    );
}

/** Whoever can use the database of this home may do everything; what they do is audited. */
function change<T>(
  database: Database,
  action: string,
  details: Readonly<Record<string, unknown>>,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  return audited(database, { actor: "cli", action, details }, work);
}
