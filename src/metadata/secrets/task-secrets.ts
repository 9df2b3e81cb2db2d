/** Everything a worker hands to its runners and its host: connections and variables, opened. */
import type { Connection } from "../../dag/operator.ts";
import { connectionForTasks, listConnections } from "../connections.ts";
import type { Sql } from "../database.ts";
import { listVariables } from "../variables.ts";
import type { Keyring } from "./keyring.ts";
import { isSecretName, secretsInside } from "./names.ts";

/** Connections and variables as tasks may ask for them. */
export interface TaskSecrets {
  /** Moves with every change; -1 = never looked. */
  readonly version: number;
  readonly connections: Readonly<Record<string, Connection>>;
  readonly variables: Readonly<Record<string, string>>;
  /** Texts that no log may show. */
  readonly hidden: readonly string[];
  /** `connection a`, `variable b` … that no key here opens. */
  readonly unreadable: readonly string[];
}

const ALL = { pattern: null, slice: { limit: 100_000, offset: 0, orderBy: [] } };

/** What the database holds now. */
export async function readTaskSecrets(sql: Sql, keyring: Keyring): Promise<TaskSecrets> {
  // The counter first: what changes after it is read once more, never missed.
  const counter = await sql.query<{ version: string }>("select secrets_version() as version");
  const connections = (await listConnections(sql, keyring, ALL)).rows;
  const variables = (await listVariables(sql, keyring, ALL)).rows;
  const readable = connections.filter(({ secret }) => secret !== null).map(connectionForTasks);
  return {
    version: Number(counter.rows[0]?.version ?? 0),
    connections: Object.fromEntries(readable.map((connection) => [connection.id, connection])),
    variables: Object.fromEntries(variables.flatMap(({ key, value }) => (value === null ? [] : [[key, value]]))),
    hidden: [
      ...hiddenOf(readable),
      ...variables.flatMap(({ secret, value }) => (value === null ? [] : secret ? [value] : secretsInside(value))),
    ],
    unreadable: [
      ...connections.filter(({ secret }) => secret === null).map(({ id }) => `connection ${id}`),
      ...variables.filter(({ value }) => value === null).map(({ key }) => `variable ${key}`),
    ],
  };
}

/** Passwords of connections, and whatever option is named like a secret. */
export function hiddenOf(connections: readonly Connection[]): string[] {
  return connections.flatMap((connection) => [
    connection.password,
    ...Object.entries(connection.options).flatMap(([name, value]) =>
      isSecretName(name) || /key/i.test(name) ? [value] : secretsInside(value),
    ),
  ]);
}
