/** What became of the rows of landed files: the last step of the file manifest. */
import type { Sql } from "./database.ts";

/** Rows of one file version. `read = loaded + duplicate + quarantined`; `conflict` is a part of `duplicate`. */
export interface LoadResult {
  readonly fileId: number;
  readonly read: number;
  readonly loaded: number;
  readonly duplicate: number;
  readonly conflict: number;
  readonly quarantined: number;
  /** Reason → rows. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Why the whole file was refused, or null. */
  readonly rejected: string | null;
}

/**
 * Records the results of a load: files become loaded, or quarantined when refused whole, and what they replace becomes superseded.
 * Duplicates stay duplicates: all their rows are, as many as the original has. Returns the file ids that became superseded.
 * Call inside a transaction; repeating it changes nothing.
 */
export async function recordLoads(
  sql: Sql,
  results: readonly LoadResult[],
  duplicates: readonly number[],
): Promise<number[]> {
  await sql.query(RECORD, [JSON.stringify(results)]);
  await sql.query(COUNT_DUPLICATES, [duplicates]);
  const taken = [...results.filter((result) => result.rejected === null).map((result) => result.fileId), ...duplicates];
  const refused = results.filter((result) => result.rejected !== null).map((result) => result.fileId);
  // What a refused version was to replace stays live.
  await sql.query("update file_manifest set replaced_by = null where replaced_by = any($1) and state <> 'superseded'", [
    refused,
  ]);
  const superseded = await sql.query<{ file_id: string }>(SUPERSEDE, [taken]);
  return superseded.rows.map((row) => Number(row.file_id)).sort((a, b) => a - b);
}

const RECORD = `update file_manifest m set
    state = case when r.rejected is null then 'loaded' else 'quarantined' end,
    duplicate_of = case when m.promoted_by is null then m.duplicate_of end,
    rows_read = r.read, rows_loaded = r.loaded, rows_duplicate = r.duplicate, rows_conflict = r.conflict,
    rows_quarantined = r.quarantined, reasons = r.reasons, rejected = r.rejected, finished_at = now()
  from jsonb_to_recordset($1::jsonb) as r("fileId" bigint, read bigint, loaded bigint, duplicate bigint, conflict bigint,
    quarantined bigint, reasons jsonb, rejected text)
 where m.file_id = r."fileId" and m.state <> 'superseded'`;

const COUNT_DUPLICATES = `update file_manifest m set
    rows_read = original.rows_read, rows_loaded = 0, rows_duplicate = original.rows_read, rows_conflict = 0,
    rows_quarantined = 0, finished_at = now()
  from file_manifest original
 where m.file_id = any($1) and original.file_id = m.duplicate_of and m.state = 'duplicate'`;

const SUPERSEDE = `with recursive older as (
    select file_id from file_manifest where replaced_by = any($1)
    union select m.file_id from file_manifest m join older on m.replaced_by = older.file_id)
  update file_manifest m set state = 'superseded', finished_at = now()
    from older where m.file_id = older.file_id and m.state <> 'superseded'
  returning m.file_id`;
