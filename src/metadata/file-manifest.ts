/** The manifest of files delivered by outside feeds: one row a version of a file, from seen to loaded. */
import type { Sql } from "./database.ts";

/** How far a file version has come. Loaded, duplicate, quarantined and superseded are final. */
export type FileState =
  | "seen"
  | "stable"
  | "fetched"
  | "verified"
  | "loaded"
  | "duplicate"
  | "quarantined"
  | "superseded";

/** One file as a listing shows it. Size and time are its fingerprint: when they change, the content may have. */
export interface ListedFile {
  readonly path: string;
  readonly feed: string;
  readonly batch: number | null;
  readonly bytes: number;
  /** ISO instant, or null where the server gives none. */
  readonly ftpTime: string | null;
}

/** A file version that is not loaded yet. */
export interface PendingFile extends ListedFile {
  readonly fileId: number;
  readonly version: number;
  readonly state: FileState;
  /** Milliseconds since it was first seen, by the database's clock. */
  readonly ageMs: number;
}

/** A file version that a run landed. */
export interface LandedVersion extends ListedFile {
  readonly fileId: number;
  readonly version: number;
  readonly sha256: string;
  readonly stagedPath: string;
  readonly loadSeq: number;
  readonly supersedes: number[];
  readonly duplicateOf: number | null;
}

interface ManifestRow {
  file_id: string;
  path: string;
  feed: string;
  batch: string | null;
  version: number;
  state: FileState;
  bytes: string;
  ftp_time: Date | null;
  sha256: string;
  staged_path: string;
  load_seq: string;
  duplicate_of: string | null;
  supersedes: string[] | null;
  age_ms: number;
}

/**
 * Writes down what a listing shows and returns, of the files listed, the latest versions that are not final. A fingerprint
 * that differs from the latest version's starts a new version, unless that one was not read yet: then it is still the same file
 * being written.
 */
export async function observeFiles(sql: Sql, connection: string, files: readonly ListedFile[]): Promise<PendingFile[]> {
  const listed = JSON.stringify(files);
  await sql.query(REWRITE_UNREAD, [connection, listed]);
  await sql.query(ADD_VERSIONS, [connection, listed]);
  const pending = await sql.query<ManifestRow>(PENDING, [connection, listed]);
  return pending.rows.map((row) => ({ ...listedOf(row), version: row.version, state: row.state, ageMs: row.age_ms }));
}

const LISTED = `listed as (
  select * from jsonb_to_recordset($2::jsonb)
    as f(path text, feed text, batch bigint, bytes bigint, "ftpTime" timestamptz))`;

const LATEST = `latest as (
  select distinct on (m.path) m.* from file_manifest m join listed using (path)
   where m.connection = $1 order by m.path, m.version desc)`;

const REWRITE_UNREAD = `with ${LISTED}, ${LATEST}
  update file_manifest m set bytes = f.bytes, ftp_time = f."ftpTime", state = 'seen', sha256 = null
    from listed f join latest l using (path)
   where m.file_id = l.file_id and l.state in ('seen', 'stable', 'fetched')
     and (l.bytes, l.ftp_time) is distinct from (f.bytes, f."ftpTime")`;

const ADD_VERSIONS = `with ${LISTED}, ${LATEST}
  insert into file_manifest (connection, path, version, feed, batch, bytes, ftp_time)
  select $1, f.path, coalesce(l.version, 0) + 1, f.feed, f.batch, f.bytes, f."ftpTime"
    from listed f left join latest l using (path)
   where l.file_id is null
      or (l.state not in ('seen', 'stable', 'fetched') and (l.bytes, l.ftp_time) is distinct from (f.bytes, f."ftpTime"))
  on conflict (connection, path, version) do nothing`;

const PENDING = `with ${LISTED}, ${LATEST}
  select *, extract(epoch from clock_timestamp() - seen_at)::float8 * 1000 as age_ms from latest
   where state in ('seen', 'stable', 'fetched', 'verified')
   order by batch nulls first, feed, path`;

/** Two equal listings have shown these versions. */
export async function markStable(sql: Sql, fileIds: readonly number[]): Promise<void> {
  await sql.query(
    "update file_manifest set state = 'stable', stable_at = now() where file_id = any($1) and state = 'seen'",
    [fileIds],
  );
}

/** The whole content of a version has been read as it was listed. Nothing happens where it is listed otherwise by now. */
export async function markFetched(sql: Sql, file: PendingFile, sha256: string): Promise<void> {
  await sql.query(
    `update file_manifest set state = 'fetched', sha256 = $2, fetched_at = now()
      where file_id = $1 and state in ('seen', 'stable', 'fetched') and (bytes, ftp_time) is not distinct from ($3, $4)`,
    [file.fileId, sha256, file.bytes, file.ftpTime],
  );
}

/** What {@link landFile} needs to know. */
export interface Landing {
  readonly fileId: number;
  readonly stagedPath: string;
  /** The run: `<dag>/<run>`. */
  readonly landedBy: string;
  /** Where content that is live already makes a duplicate: under any name of the feed, or only under the file's own name. */
  readonly sameContentUnder: "any name" | "own name";
}

/**
 * Records a published version: gives it its place in the order of arrival, and decides whether it is a duplicate of live content
 * and which older contents of the same name it replaces. Call inside a transaction. Returns `not fetched`, and changes nothing,
 * when somebody else landed the version meanwhile or it is listed with another size or time by now.
 */
export async function landFile(sql: Sql, landing: Landing): Promise<"landed" | "not fetched"> {
  // Two landings of one feed decide one after the other, so that each sees the other's content.
  await sql.query(
    "select pg_advisory_xact_lock(hashtext('file_manifest'), hashtext(feed)) from file_manifest where file_id = $1",
    [landing.fileId],
  );
  const landed = await sql.query<{ again: boolean }>(LAND, [
    landing.fileId,
    landing.stagedPath,
    landing.landedBy,
    landing.sameContentUnder === "any name",
  ]);
  const [row] = landed.rows;
  if (row === undefined) return "not fetched";
  if (!row.again) {
    await sql.query(REPLACE_OLDER, [landing.fileId]);
    await sql.query(PROMOTE, [landing.fileId]);
  }
  return "landed";
}

// `again`: the content its own name holds already, delivered with a new time. Nothing is replaced then. Content of another name is no
// duplicate where it replaces something: whoever loads it has something to withdraw.
const LAND = `with original as (
    select o.file_id, (o.connection, o.path) = (f.connection, f.path) as again
      from file_manifest o join file_manifest f on f.file_id = $1
     where o.feed = f.feed and o.sha256 = f.sha256 and o.file_id <> f.file_id
       and o.replaced_by is null and o.duplicate_of is null and o.state in ('verified', 'loaded')
       and ((o.connection, o.path) = (f.connection, f.path) or $4 and not exists (
         select from file_manifest older
          where older.connection = f.connection and older.path = f.path and older.version < f.version
            and older.replaced_by is null and older.state <> 'duplicate'))
     order by o.load_seq limit 1)
  update file_manifest set
    state = case when exists (select from original) then 'duplicate' else 'verified' end,
    duplicate_of = (select file_id from original),
    staged_path = $2, landed_by = $3, load_seq = nextval('file_load_seq'), verified_at = now()
  where file_id = $1 and state = 'fetched'
  returning coalesce((select again from original), false) as again`;

const REPLACE_OLDER = `update file_manifest older set replaced_by = f.file_id
  from file_manifest f
 where f.file_id = $1 and older.connection = f.connection and older.path = f.path and older.version < f.version
   and older.replaced_by is null`;

// The oldest duplicate of what is replaced takes over; the others become duplicates of it.
const PROMOTE = `with orphans as (
    select d.file_id, d.duplicate_of, first_value(d.file_id) over (partition by d.duplicate_of order by d.load_seq) as heir
      from file_manifest d join file_manifest original on original.file_id = d.duplicate_of
     where original.replaced_by = $1 and d.replaced_by is null and d.file_id <> $1 and d.promoted_by is null)
  update file_manifest d set
    promoted_by = case when o.heir = d.file_id then $1::bigint end,
    duplicate_of = case when o.heir = d.file_id then d.duplicate_of else o.heir end
  from orphans o where o.file_id = d.file_id`;

/** What a run landed and has to load, in order of arrival: its own versions unless replaced since, and duplicates that take over. */
export async function landedFiles(sql: Sql, landedBy: string): Promise<LandedVersion[]> {
  const landed = await sql.query<ManifestRow>(LANDED, [landedBy]);
  return landed.rows.map((row) => ({
    ...listedOf(row),
    version: row.version,
    sha256: row.sha256,
    stagedPath: row.staged_path,
    loadSeq: Number(row.load_seq),
    supersedes: (row.supersedes ?? []).map(Number),
    duplicateOf: row.duplicate_of === null ? null : Number(row.duplicate_of),
  }));
}

const LANDED = `with recursive own as (
    select file_id from file_manifest where landed_by = $1 and replaced_by is null),
  mine as (
    select file_id from own
    union select h.file_id from file_manifest h join own on h.promoted_by = own.file_id where h.replaced_by is null),
  older as (
    select m.replaced_by as newest, m.file_id from file_manifest m join mine on m.replaced_by = mine.file_id
    union select older.newest, m.file_id from file_manifest m join older on m.replaced_by = older.file_id)
  select m.file_id, m.path, m.feed, m.batch, m.version, m.bytes, m.ftp_time, m.sha256, m.staged_path, m.load_seq,
         case when m.promoted_by is null then m.duplicate_of end as duplicate_of,
         array(select file_id from older where older.newest = m.file_id order by file_id) as supersedes
    from file_manifest m join mine using (file_id) order by m.load_seq`;

function listedOf(row: ManifestRow): ListedFile & { fileId: number } {
  return {
    fileId: Number(row.file_id),
    path: row.path,
    feed: row.feed,
    batch: row.batch === null ? null : Number(row.batch),
    bytes: Number(row.bytes),
    ftpTime: row.ftp_time === null ? null : row.ftp_time.toISOString(),
  };
}
