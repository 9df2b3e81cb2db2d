/** Reads the manifest of delivered files. */
import type { Sql } from "../database.ts";
import type { FileState } from "../file-manifest.ts";
import { Filter, type Page } from "./filter.ts";

/** One version of one delivered file. */
export interface FileRow {
  readonly file_id: string;
  readonly feed: string;
  readonly batch: string | null;
  readonly path: string;
  readonly version: number;
  readonly state: FileState;
  readonly bytes: string;
  readonly sha256: string | null;
  readonly staged_path: string | null;
  readonly load_seq: string | null;
  readonly rows_read: string | null;
  readonly rows_loaded: string | null;
  readonly rows_duplicate: string | null;
  readonly rows_quarantined: string | null;
  readonly reasons: Readonly<Record<string, number>>;
  readonly rejected: string | null;
  readonly seen_at: Date;
  readonly finished_at: Date | null;
}

/** What a list of files can be narrowed by. */
export interface FileFilter {
  readonly feed?: string | undefined;
  readonly state?: string | undefined;
  readonly batch?: number | undefined;
}

/** Files, newest first; `after` = the file id to go on below, null = from the newest. */
export async function listFiles(
  sql: Sql,
  wanted: FileFilter,
  after: string | null,
  limit: number,
): Promise<Page<FileRow>> {
  const filter = new Filter()
    .add("feed = $", wanted.feed)
    .add("state = $", wanted.state)
    .add("batch = $", wanted.batch);
  const counted = await sql.query<{ n: string }>(
    `select count(*) as n from file_manifest ${filter.sql}`,
    filter.values,
  );
  filter.add("file_id < $::bigint", after);
  const found = await sql.query<FileRow>(
    `select file_id, feed, batch, path, version, state, bytes, sha256, staged_path, load_seq, rows_read, rows_loaded,
       rows_duplicate, rows_quarantined, reasons, rejected, seen_at, finished_at
     from file_manifest ${filter.sql} order by file_id desc limit ${filter.bind(limit)}`,
    filter.values,
  );
  return { rows: found.rows, total: Number(counted.rows[0]?.n) };
}
