/** `qflow connections …`. What is secret comes from the terminal or standard input, never from an argument. */
import type { Command } from "commander";
import { parseConnectionUrl } from "../../config.ts";
import { QflowError } from "../../errors.ts";
import { audited } from "../../metadata/audited.ts";
import {
  connectionForTasks,
  deleteConnection,
  getConnection,
  listConnections,
  type StoredConnection,
  writeConnection,
} from "../../metadata/connections.ts";
import { openKeyring, openOrCreateKeyring, rewriteKeyFile } from "../../metadata/secrets/keyring.ts";
import { isSecretName } from "../../metadata/secrets/names.ts";
import { keysInUse, reseal } from "../../metadata/secrets/rotate.ts";
import { testConnection } from "../../operators/connection-test.ts";
import { EXIT, printFields, printRows, say } from "../output.ts";
import { type CommandContext, type ListOptions, outputOption } from "../program.ts";
import { readSecret } from "../secret-input.ts";
import { withDatabase } from "../with-database.ts";

const HIDDEN = "***";
const ALL = { pattern: null, slice: { limit: 100_000, offset: 0, orderBy: [] } };

interface SetConnection {
  url?: string;
  description?: string;
  password: boolean;
}

/** Registers the commands. */
export function connectionCommands(program: Command, context: () => CommandContext): void {
  const connections = program.command("connections").description("addresses and passwords of outside systems");
  readingCommands(connections, context);
  connections
    .command("set <id>")
    .description("make or replace a connection; the password is asked for, or read from standard input")
    .option(
      "--url <url>",
      "kind://user@host:port/path?option=value, without a password; else the whole URL is asked for",
    )
    .option("--no-password", "it has none: do not ask")
    .option("--description <text>", "what it is for")
    .action((id: string, options: SetConnection) => setConnection(context(), id, options));
  connections
    .command("delete <id>")
    .description("remove a connection")
    .action((id: string) =>
      withDatabase(context(), (database) =>
        audited(database, { actor: "cli", action: "connection.delete", details: { connection_id: id } }, (sql) =>
          deleteConnection(sql, id),
        ),
      ),
    );
  connections
    .command("test <id>")
    .description("connect, and log in where the kind is known; settings win over the database, as for tasks")
    .action((id: string) => checkConnection(context(), id));
  connections
    .command("rotate-key")
    .description("seal all connections and variables with a new key")
    .option(
      "--forget-old",
      "remove keys from the key file that no row needs; backups sealed with them cannot be opened then",
    )
    .action((options: { forgetOld?: boolean }) => rotateKey(context(), options.forgetOld ? "forget" : "keep"));
}

function readingCommands(connections: Command, context: () => CommandContext): void {
  connections
    .command("list")
    .description("every connection of the database; those of QFLOW_CONN_ settings are the worker's own")
    .addOption(outputOption())
    .action((options: ListOptions) =>
      withDatabase(context(), async (database) => {
        const { rows } = await listConnections(database, await openKeyring(context().config), ALL);
        printRows(rows.map(shown), CONNECTION_COLUMNS, { format: options.output, empty: "There is no connection." });
      }),
    );
  connections
    .command("show <id>")
    .description("one connection, its password hidden")
    .addOption(outputOption())
    .action((id: string, options: ListOptions) =>
      withDatabase(context(), async (database) => {
        printFields(
          { ...shown(await getConnection(database, await openKeyring(context().config), id)) },
          options.output,
        );
      }),
    );
}

const CONNECTION_COLUMNS = ["connection_id", "kind", "host", "port", "login", "path", "password", "description"].map(
  (name) => ({
    heading: name,
    cell: (row: ShownConnection) => row[name as keyof ShownConnection] as string | number | null,
  }),
);

type ShownConnection = ReturnType<typeof shown>;

function shown({ id, secret, ...plain }: StoredConnection) {
  const extra = Object.entries(secret?.extra ?? {}).map(([name, value]) => [name, isSecretName(name) ? HIDDEN : value]);
  const { description, ...address } = plain;
  return {
    connection_id: id,
    ...address,
    password: secret === null ? "(does not open)" : secret.password === "" ? "" : HIDDEN,
    extra: Object.fromEntries(extra) as Record<string, unknown>,
    description,
  };
}

async function setConnection(context: CommandContext, id: string, options: SetConnection): Promise<void> {
  const text = options.url ?? (await readSecret(`URL of connection ${id}: `));
  const parsed = parseConnectionUrl(id, options.url === undefined ? "the URL" : "--url", text);
  if (options.url !== undefined && (parsed.password !== "" || Object.keys(parsed.options).some(isSecretName))) {
    throw new QflowError("USAGE", "the URL of --url holds a secret, and everybody on this machine can read arguments", {
      remedy: "Leave the password out: it is asked for. Or leave --url out: the whole URL is asked for.",
    });
  }
  const asks = options.url !== undefined && options.password;
  const password = asks ? await readSecret(`Password of ${parsed.user || id} (empty for none): `) : parsed.password;
  const { kind, host, port, user, path, options: extra } = parsed;
  const description = options.description ?? null;
  await withDatabase(context, async (database) => {
    const { active } = await openOrCreateKeyring(context.config);
    const draft = { id, kind, host, port, login: user, path, description, password, extra };
    await audited(database, { actor: "cli", action: "connection.set", details: { connection_id: id } }, (sql) =>
      writeConnection(sql, active, draft, "put"),
    );
  });
  say(`Connection ${id} is set.`);
}

async function checkConnection(context: CommandContext, id: string): Promise<void> {
  const own = context.config.connections[id.toLowerCase()];
  const connection =
    own ??
    (await withDatabase(context, async (database) =>
      connectionForTasks(await getConnection(database, await openKeyring(context.config), id)),
    ));
  const { ok, message } = await testConnection(connection);
  say(message);
  process.exitCode = ok ? EXIT.done : EXIT.failed;
}

async function rotateKey(context: CommandContext, old: "keep" | "forget"): Promise<void> {
  const { config } = context;
  await withDatabase(context, async (database) => {
    await openOrCreateKeyring(config);
    if (config.secretKeys.length === 0) await rewriteKeyFile(config.home, { add: true });
    const keyring = await openOrCreateKeyring(config);
    const { resealed, unreadable } = await reseal(database, keyring, keyring.active);
    await audited(
      database,
      { actor: "cli", action: "secrets.rotate-key", details: { key_id: keyring.active.id } },
      async () => {},
    );
    say(`${resealed} sealed with key ${keyring.active.id}.`);
    for (const name of unreadable) say(`${name} does not open with the keys of this machine and stays as it is.`);
    if (unreadable.length > 0) process.exitCode = EXIT.failed;
    else if (old === "forget") {
      await rewriteKeyFile(config.home, { keep: new Set([...(await keysInUse(database)), keyring.active.id]) });
      say("Keys that no row needs were removed.");
    }
  });
}
