/** Evaluated code of DAG files, kept by content hash. */
import { QflowError } from "../errors.ts";
import type { Sql } from "./database.ts";

/** A bundle as the dag room makes it. */
export interface StoredBundle {
  /** sha-256 of `code`, hex. */
  readonly hash: string;
  /** One ES module; `qflow` and `qflow/*` stay external. */
  readonly code: string;
  /** The DAG file as written, for people. */
  readonly source: string;
}

/** The code of a bundle. Throws NOT_FOUND. */
export async function fetchBundle(sql: Sql, hash: string): Promise<string> {
  const result = await sql.query<{ code: string }>("select code from bundle where hash = $1", [hash]);
  const row = result.rows[0];
  if (!row) throw new QflowError("NOT_FOUND", `there is no bundle ${hash}`);
  return row.code;
}

/** Keeps a bundle; one that is there stays as it is, and is in use. */
export async function storeBundle(sql: Sql, bundle: StoredBundle): Promise<void> {
  await sql.query(
    "insert into bundle (hash, code, source) values ($1, $2, $3) on conflict (hash) do update set used_at = now()",
    [bundle.hash, bundle.code, bundle.source],
  );
}
