/** Connections kept in the database: address in plain columns, password and extra sealed. */
import type { Connection } from "../dag/operator.ts";
import type { Json } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";
import type { Sql } from "./database.ts";
import type { Keyring, SecretKey } from "./secrets/keyring.ts";
import { type RowIdentity, seal, unseal } from "./secrets/seal.ts";
import { Filter, orderClause, type Page, type Slice } from "./views/filter.ts";

/** What of a connection is secret. */
export interface ConnectionSecret {
  readonly password: string;
  readonly extra: Readonly<Record<string, Json>>;
}

/** A connection as it is written. */
export interface ConnectionDraft extends ConnectionSecret {
  readonly id: string;
  readonly kind: string;
  readonly host: string;
  /** 0 = the kind's own. */
  readonly port: number;
  readonly login: string;
  readonly path: string;
  readonly description: string | null;
}

/** A connection as it is kept; `secret` is null where no key of this installation opens it. */
export interface StoredConnection extends Omit<ConnectionDraft, keyof ConnectionSecret> {
  readonly secret: ConnectionSecret | null;
}

/** What may be there already: `create` wants nothing, `replace` a connection of that id, `put` takes both. */
export type WriteMode = "create" | "replace" | "put";

interface Row extends Omit<StoredConnection, "secret"> {
  readonly sealed: Buffer;
  readonly keyId: string;
}

const COLUMNS = `connection_id as id, kind, host, port, login, path, description, sealed, key_id as "keyId"`;

/** What listings can be ordered by. */
export const CONNECTION_ORDER = {
  connection_id: "connection_id",
  conn_type: "kind",
  description: "description",
  host: "host",
  port: "port",
  id: "connection_id",
} as const;

/** A page of connections; `pattern` = part of an id, `%` stands for anything. */
export async function listConnections(
  sql: Sql,
  keyring: Keyring,
  { pattern, slice }: { pattern: string | null; slice: Slice },
): Promise<Page<StoredConnection>> {
  const filter = new Filter().add("connection_id ilike $", pattern === null ? null : `%${pattern}%`);
  const total = await sql.query<{ n: string }>(`select count(*) as n from connection ${filter.sql}`, filter.values);
  const limits = `limit ${filter.bind(slice.limit)} offset ${filter.bind(slice.offset)}`;
  const order = orderClause(slice, CONNECTION_ORDER, "connection_id");
  const rows = await sql.query<Row>(
    `select ${COLUMNS} from connection ${filter.sql} ${order} ${limits}`,
    filter.values,
  );
  return { rows: rows.rows.map((row) => opened(keyring, row)), total: Number(total.rows[0]?.n ?? 0) };
}

/** Whether a row is only looked at, or changed in the same transaction: then nobody else changes it meanwhile. */
export type Purpose = "look" | "change";

/** One connection. Throws NOT_FOUND. */
export async function getConnection(
  sql: Sql,
  keyring: Keyring,
  id: string,
  purpose: Purpose = "look",
): Promise<StoredConnection> {
  const lock = purpose === "change" ? "for no key update" : "";
  const rows = await sql.query<Row>(`select ${COLUMNS} from connection where connection_id = $1 ${lock}`, [id]);
  const row = rows.rows[0];
  if (!row) throw unknown(id);
  return opened(keyring, row);
}

/** Writes a connection. Throws CONFLICT, NOT_FOUND as the mode has it, and USAGE for an id that cannot be one. */
export async function writeConnection(
  sql: Sql,
  key: SecretKey,
  draft: ConnectionDraft,
  mode: WriteMode,
): Promise<void> {
  if (!/^[A-Za-z0-9_.-]{1,200}$/.test(draft.id)) {
    throw new QflowError("USAGE", `"${draft.id}" cannot be a connection's id: letters, digits and _ . -, at most 200`);
  }
  const { sealed, keyId } = seal(key, identityOf(draft), { password: draft.password, extra: { ...draft.extra } });
  const { id, kind, host, port, login, path, description } = draft;
  const values = [id, kind, host, port, login, path, description, sealed, keyId];
  if (mode === "replace") {
    const changed = await sql.query(
      `update connection set kind = $2, host = $3, port = $4, login = $5, path = $6, description = $7, sealed = $8, key_id = $9,
         updated_at = now() where connection_id = $1`,
      values,
    );
    if (changed.rowCount === 0) throw unknown(id);
    return;
  }
  const taken =
    mode === "create"
      ? "do nothing"
      : `(connection_id) do update set kind = excluded.kind, host = excluded.host, port = excluded.port, login = excluded.login,
           path = excluded.path, description = excluded.description, sealed = excluded.sealed, key_id = excluded.key_id, updated_at = now()`;
  const made = await sql.query(
    `insert into connection (connection_id, kind, host, port, login, path, description, sealed, key_id)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict ${taken}`,
    values,
  );
  if (made.rowCount === 0) throw new QflowError("CONFLICT", `there is a connection ${id} already`);
}

/** Removes a connection. Throws NOT_FOUND. */
export async function deleteConnection(sql: Sql, id: string): Promise<void> {
  const gone = await sql.query("delete from connection where connection_id = $1", [id]);
  if (gone.rowCount === 0) throw unknown(id);
}

/** As tasks see it. Throws SECRET_UNREADABLE where it does not open. */
export function connectionForTasks(stored: StoredConnection): Connection {
  if (stored.secret === null) {
    throw new QflowError(
      "SECRET_UNREADABLE",
      `connection ${stored.id} does not open with the keys of this installation`,
    );
  }
  const { id, kind, host, port, login, path } = stored;
  const { password, extra } = stored.secret;
  const options = Object.entries(extra).map(([name, value]) => [
    name,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return { id, kind, host, port, user: login, password, path, options: Object.fromEntries(options) };
}

/** What a connection's sealed part is bound to. */
export function identityOf(row: Omit<StoredConnection, "secret">): RowIdentity {
  return ["connection", row.id, row.kind, row.host, row.port, row.login, row.path];
}

function opened(keyring: Keyring, row: Row): StoredConnection {
  const { sealed, keyId, ...plain } = row;
  try {
    return { ...plain, secret: unseal(keyring, identityOf(row), { sealed, keyId }) as unknown as ConnectionSecret };
  } catch (error) {
    if (error instanceof QflowError && error.code === "SECRET_UNREADABLE") return { ...plain, secret: null };
    throw error;
  }
}

function unknown(id: string): QflowError {
  return new QflowError("NOT_FOUND", `The Connection with connection_id: \`${id}\` was not found`);
}
