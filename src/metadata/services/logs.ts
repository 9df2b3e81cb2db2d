/** Logs of services: numbered lines in compressed chunks, as those of tasks, but kept by their age: an attempt may run for months. */
import type { Sql } from "../database.ts";
import { type ChunkRow, decodeChunk, encodeChunk } from "../logs.ts";
import type { LogAppend, LogLine } from "../work-types.ts";

/** Lines of an attempt's log. */
export interface ServiceLogPage {
  readonly lines: readonly (LogLine & { readonly line: number })[];
  /** Where the next page begins. */
  readonly nextLine: number;
  /** Whether no more will come. */
  readonly complete: boolean;
}

/** Appends lines; those that are there already, and those of an attempt whose token is another, are left out. */
export async function appendServiceLog(sql: Sql, chunks: readonly LogAppend[]): Promise<void> {
  if (chunks.length === 0) return;
  const columns = chunks.map(encodeChunk);
  await sql.query(
    `insert into service_log (attempt_id, first_line, line_count, bytes, codec, data)
     select c.attempt_id, c.first_line, c.line_count, c.bytes, c.codec, c.data
     from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::integer[], $5::integer[], $6::text[], $7::bytea[])
       c (attempt_id, token, first_line, line_count, bytes, codec, data)
     join service_attempt a on a.attempt_id = c.attempt_id and a.token = c.token
     on conflict do nothing`,
    [0, 1, 2, 3, 4, 5, 6].map((column) => columns.map((chunk) => chunk[column])),
  );
}

/** Lines from `fromLine` on (1-based), at most `limit`; a negative number counts from the end. */
export async function readServiceLog(
  sql: Sql,
  attemptId: string,
  fromLine: number,
  limit: number,
): Promise<ServiceLogPage> {
  const attempt = await sql.query<{ ended: boolean; lines: number }>(
    `select a.ended_at is not null as ended, coalesce((
       select first_line + line_count - 1 from service_log l where l.attempt_id = a.attempt_id order by first_line desc limit 1), 0) as lines
     from service_attempt a where a.attempt_id = $1`,
    [attemptId],
  );
  const { ended = true, lines: total = 0 } = attempt.rows[0] ?? {};
  const from = fromLine < 0 ? Math.max(1, total + fromLine + 1) : fromLine;
  const chunks = await sql.query<ChunkRow>(
    `select first_line, codec, data from service_log
     where attempt_id = $1 and first_line + line_count > $2 and first_line < $2 + $3 order by first_line`,
    [attemptId, from, limit],
  );
  const lines = chunks.rows.flatMap(decodeChunk).filter(({ line }) => line >= from && line < from + limit);
  const nextLine = (lines.at(-1)?.line ?? from - 1) + 1;
  return { lines, nextLine, complete: ended && nextLine > total };
}
