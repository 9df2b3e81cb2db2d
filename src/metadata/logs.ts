/** Logs of attempts: numbered lines in compressed chunks, so that they outlive any worker. */
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { Sql } from "./database.ts";
import type { LogAppend, LogLine, LogPage } from "./work-types.ts";

/** Below this many bytes a chunk is not worth compressing. */
const PLAIN_BYTES = 256;
/** Longest text of a line, in characters. */
const LINE_LIMIT = 65_536;

/** States of an attempt in which more lines may come. */
const UNENDED = new Set(["running", "deferred", "up_for_reschedule"]);

/** A stored chunk of lines. */
export interface ChunkRow {
  readonly first_line: number;
  readonly codec: string;
  readonly data: Buffer;
}

/**
 * Appends lines. Lines that are already there (a repeated call) are left alone; lines of an attempt whose token is another
 * are dropped. Also takes lines that come after the attempt's outcome.
 */
export async function appendLog(sql: Sql, chunks: readonly LogAppend[]): Promise<void> {
  if (chunks.length === 0) return;
  const columns = chunks.map(encodeChunk);
  await sql.query(
    // guard: log-token
    // guard: log-once
    `insert into log_chunk (attempt_id, first_line, line_count, bytes, codec, data)
     select c.attempt_id, c.first_line, c.line_count, c.bytes, c.codec, c.data
     from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::integer[], $5::integer[], $6::text[], $7::bytea[])
       c (attempt_id, token, first_line, line_count, bytes, codec, data)
     join task_attempt a on a.attempt_id = c.attempt_id and a.token = c.token
     on conflict do nothing`,
    [0, 1, 2, 3, 4, 5, 6].map((column) => columns.map((chunk) => chunk[column])),
  );
}

/** Attempt, token, first line, number of lines, bytes, codec and data of a chunk, as it is stored. */
export function encodeChunk(chunk: LogAppend): unknown[] {
  const lines = chunk.lines.map((line) => [line.at, line.level, cut(line.text)]);
  const plain = Buffer.from(JSON.stringify(lines));
  const compress = plain.length > PLAIN_BYTES;
  const data = compress ? zstdCompressSync(plain) : plain;
  return [chunk.attemptId, chunk.token, chunk.firstLine, lines.length, plain.length, compress ? "zstd" : "plain", data];
}

function cut(text: string): string {
  return text.length <= LINE_LIMIT ? text : `${text.slice(0, LINE_LIMIT)} … (cut: ${text.length} characters)`;
}

/** Lines from number `fromLine` (1-based) on, at most `limit`. An attempt that wrote nothing has an empty log. */
export async function readLog(sql: Sql, attemptId: string, fromLine: number, limit: number): Promise<LogPage> {
  // State first: lines written before an end that is seen here are seen by the next statement.
  const attempt = await sql.query<{ state: string }>("select state from task_attempt where attempt_id = $1", [
    attemptId,
  ]);
  const chunks = await sql.query<ChunkRow>(
    `select first_line, codec, data from log_chunk
     where attempt_id = $1 and first_line + line_count > $2 and first_line < $2 + $3 order by first_line`,
    [attemptId, fromLine, limit],
  );
  const last = fromLine + limit;
  const lines = chunks.rows.flatMap(decodeChunk).filter(({ line }) => line >= fromLine && line < last);
  const nextLine = (lines.at(-1)?.line ?? fromLine - 1) + 1;
  return { lines, nextLine, complete: !UNENDED.has(attempt.rows[0]?.state ?? "") && nextLine < last };
}

/** The lines of a chunk. */
export function decodeChunk(row: ChunkRow): (LogLine & { line: number })[] {
  const plain = row.codec === "zstd" ? zstdDecompressSync(row.data) : row.data;
  const lines = JSON.parse(plain.toString("utf8")) as [string, LogLine["level"], string][];
  return lines.map(([at, level, text], i) => ({ line: row.first_line + i, at, level, text }));
}
