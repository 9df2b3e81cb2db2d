/** One connection, as tasks are given it. */
import type { Connection } from "../../dag/operator.ts";
import { QflowError } from "../../errors.ts";
import { connectionForTasks, getConnection } from "../connections.ts";
import type { Sql } from "../database.ts";
import { type KeySource, openKeyring } from "./keyring.ts";

/** Where connections come from: settings of {@link Config}. */
export interface ConnectionSource extends KeySource {
  /** Those of the environment, which win. */
  readonly connections: Readonly<Record<string, Connection>>;
}

/** The connection of that id: of the environment, else the database's. Throws CONNECTION_UNKNOWN. */
export async function findConnection(sql: Sql, source: ConnectionSource, id: string): Promise<Connection> {
  const given = Object.hasOwn(source.connections, id) ? source.connections[id] : undefined;
  if (given) return given;
  const stored = await getConnection(sql, await openKeyring(source), id).catch((error: unknown) => {
    if (error instanceof QflowError && error.code === "NOT_FOUND") return null;
    throw error;
  });
  if (stored !== null && stored.secret !== null) return connectionForTasks(stored);
  const why = stored === null ? `there is no connection ${id}` : `no key of this machine opens connection ${id}`;
  throw new QflowError("CONNECTION_UNKNOWN", why);
}
