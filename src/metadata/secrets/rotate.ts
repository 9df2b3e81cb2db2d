/** Changing the key: everything is sealed anew under the one that seals now. */

import { identityOf } from "../connections.ts";
import type { Database } from "../database.ts";
import { variableIdentity } from "../variables.ts";
import type { Keyring, SecretKey } from "./keyring.ts";
import { type RowIdentity, type Sealed, seal, unseal } from "./seal.ts";

/** What a rotation did. */
export interface RotationReport {
  readonly resealed: number;
  /** Rows that no key here opens: they stay as they are. */
  readonly unreadable: readonly string[];
}

interface Row extends Sealed {
  readonly id: string;
  readonly kind: string;
  readonly host: string;
  readonly port: number;
  readonly login: string;
  readonly path: string;
  readonly description: null;
  readonly key: string;
  readonly secret: boolean;
}

interface SealedTable {
  readonly name: "connection" | "variable";
  readonly key: string;
  readonly identity: (row: Row) => RowIdentity;
}

const TABLES: readonly SealedTable[] = [
  { name: "connection", key: "connection_id", identity: identityOf },
  { name: "variable", key: "key", identity: variableIdentity },
];

/** Seals every row anew that another key sealed. A row that is written meanwhile is left to its writer. */
export async function reseal(database: Database, keyring: Keyring, active: SecretKey): Promise<RotationReport> {
  let resealed = 0;
  const unreadable: string[] = [];
  for (const table of TABLES) {
    const columns = table.name === "connection" ? "connection_id as id, kind, host, port, login, path" : "key, secret";
    const rows = await database.query<Row>(
      `select ${columns}, sealed, key_id as "keyId" from ${table.name} where key_id <> $1 order by 1`,
      [active.id],
    );
    for (const row of rows.rows) {
      const identity = table.identity(row);
      const value = openOrNull(keyring, identity, row);
      if (value === null) {
        unreadable.push(`${table.name} ${identity[1]}`);
        continue;
      }
      const fresh = seal(active, identity, value.json);
      const changed = await database.query(
        `update ${table.name} set sealed = $3, key_id = $4 where ${table.key} = $1 and sealed = $2`,
        [identity[1], row.sealed, fresh.sealed, fresh.keyId],
      );
      resealed += changed.rowCount ?? 0;
    }
  }
  return { resealed, unreadable };
}

function openOrNull(keyring: Keyring, identity: RowIdentity, row: Row) {
  try {
    return { json: unseal(keyring, identity, row) };
  } catch {
    return null;
  }
}

/** Ids of the keys that rows are sealed with. */
export async function keysInUse(database: Database): Promise<Set<string>> {
  const rows = await database.query<{ key_id: string }>(
    "select key_id from connection union select key_id from variable",
  );
  return new Set(rows.rows.map((row) => row.key_id));
}
