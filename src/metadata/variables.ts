/** Variables kept in the database: their values sealed. */
import { QflowError } from "../errors.ts";
import type { Purpose, WriteMode } from "./connections.ts";
import type { Sql } from "./database.ts";
import type { Keyring, SecretKey } from "./secrets/keyring.ts";
import { type RowIdentity, seal, unseal } from "./secrets/seal.ts";
import { Filter, orderClause, type Page, type Slice } from "./views/filter.ts";

/** A variable as it is written. */
export interface VariableDraft {
  readonly key: string;
  readonly value: string;
  readonly description: string | null;
  /** Whether its value is hidden in logs and answers. */
  readonly secret: boolean;
}

/** A variable as it is kept; `value` is null where no key of this installation opens it. */
export interface StoredVariable extends Omit<VariableDraft, "value"> {
  readonly value: string | null;
}

interface Row extends Omit<StoredVariable, "value"> {
  readonly sealed: Buffer;
  readonly keyId: string;
}

/** Longest value, in bytes of UTF-8: every runner of every worker holds all variables. */
export const VARIABLE_BYTES = 65_536;

const COLUMNS = `key, description, secret, sealed, key_id as "keyId"`;

/** What listings can be ordered by. */
export const VARIABLE_ORDER = { key: "key", id: "key", description: "description" } as const;

/** A page of variables; `pattern` = part of a key, `%` stands for anything. */
export async function listVariables(
  sql: Sql,
  keyring: Keyring,
  { pattern, slice }: { pattern: string | null; slice: Slice },
): Promise<Page<StoredVariable>> {
  const filter = new Filter().add("key ilike $", pattern === null ? null : `%${pattern}%`);
  const total = await sql.query<{ n: string }>(`select count(*) as n from variable ${filter.sql}`, filter.values);
  const limits = `limit ${filter.bind(slice.limit)} offset ${filter.bind(slice.offset)}`;
  const order = orderClause(slice, VARIABLE_ORDER, "key");
  const rows = await sql.query<Row>(`select ${COLUMNS} from variable ${filter.sql} ${order} ${limits}`, filter.values);
  return { rows: rows.rows.map((row) => opened(keyring, row)), total: Number(total.rows[0]?.n ?? 0) };
}

/** One variable. Throws NOT_FOUND. */
export async function getVariable(
  sql: Sql,
  keyring: Keyring,
  key: string,
  purpose: Purpose = "look",
): Promise<StoredVariable> {
  const lock = purpose === "change" ? "for no key update" : "";
  const rows = await sql.query<Row>(`select ${COLUMNS} from variable where key = $1 ${lock}`, [key]);
  const row = rows.rows[0];
  if (!row) throw unknown(key);
  return opened(keyring, row);
}

/** Writes a variable. Throws CONFLICT, NOT_FOUND as the mode has it, and USAGE for what cannot be a key or a value. */
export async function writeVariable(sql: Sql, key: SecretKey, draft: VariableDraft, mode: WriteMode): Promise<void> {
  const bytes = Buffer.byteLength(draft.value);
  if (draft.key === "" || draft.key.length > 250)
    throw new QflowError("USAGE", "a variable's key has 1 to 250 characters");
  if (bytes > VARIABLE_BYTES) {
    throw new QflowError("USAGE", `variable ${draft.key} has ${bytes} bytes; the limit is ${VARIABLE_BYTES}`, {
      remedy: "Keep what is large in a file or a table, and its name in the variable.",
    });
  }
  const { sealed, keyId } = seal(key, variableIdentity(draft), draft.value);
  const values = [draft.key, draft.description, draft.secret, sealed, keyId];
  if (mode === "replace") {
    const changed = await sql.query(
      "update variable set description = $2, secret = $3, sealed = $4, key_id = $5, updated_at = now() where key = $1",
      values,
    );
    if (changed.rowCount === 0) throw unknown(draft.key);
    return;
  }
  const taken =
    mode === "create"
      ? "do nothing"
      : `(key) do update set description = excluded.description, secret = excluded.secret, sealed = excluded.sealed,
           key_id = excluded.key_id, updated_at = now()`;
  const made = await sql.query(
    `insert into variable (key, description, secret, sealed, key_id) values ($1, $2, $3, $4, $5) on conflict ${taken}`,
    values,
  );
  if (made.rowCount === 0) throw new QflowError("CONFLICT", `there is a variable ${draft.key} already`);
}

/** Removes a variable. Throws NOT_FOUND. */
export async function deleteVariable(sql: Sql, key: string): Promise<void> {
  const gone = await sql.query("delete from variable where key = $1", [key]);
  if (gone.rowCount === 0) throw unknown(key);
}

/** What a variable's value is bound to. */
export function variableIdentity(row: { readonly key: string; readonly secret: boolean }): RowIdentity {
  return ["variable", row.key, row.secret];
}

function opened(keyring: Keyring, row: Row): StoredVariable {
  const { sealed, keyId, ...plain } = row;
  try {
    return { ...plain, value: unseal(keyring, variableIdentity(row), { sealed, keyId }) as string };
  } catch (error) {
    if (error instanceof QflowError && error.code === "SECRET_UNREADABLE") return { ...plain, value: null };
    throw error;
  }
}

function unknown(key: string): QflowError {
  return new QflowError("NOT_FOUND", `The Variable with key: \`${key}\` was not found`);
}
