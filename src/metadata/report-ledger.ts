/** The ledger of reports: which file was published from which change of its source. */
import type { Sql } from "./database.ts";

/** One published file of a report. `changed` = the source's changed-by value, a whole number as text. */
export interface LedgerEntry {
  readonly partition: string;
  readonly fileName: string;
  readonly sha256: string;
  readonly rows: number;
  readonly changed: string;
}

/** All entries of a report. */
export async function readLedger(sql: Sql, report: string): Promise<LedgerEntry[]> {
  const found = await sql.query<Omit<LedgerEntry, "rows"> & { rows: string }>(
    `select partition, file_name as "fileName", sha256, rows, changed::text as changed
       from report_ledger where report = $1`,
    [report],
  );
  return found.rows.map((entry) => ({ ...entry, rows: Number(entry.rows) }));
}

/**
 * Records files in one statement, under the token of the attempt that wrote them. An entry never goes back: a writer that was
 * overtaken changes nothing.
 */
export async function recordReport(
  sql: Sql,
  written: { report: string; token: string; entries: readonly LedgerEntry[] },
): Promise<void> {
  await sql.query(RECORD, [written.report, written.token, JSON.stringify(written.entries)]);
}

const RECORD = `insert into report_ledger (report, partition, file_name, sha256, rows, changed, token)
  select $1, e.partition, e."fileName", e.sha256, e.rows, e.changed::numeric, $2
    from jsonb_to_recordset($3::jsonb) as e(partition text, "fileName" text, sha256 text, rows bigint, changed text)
  on conflict (report, partition) do update
    set file_name = excluded.file_name, sha256 = excluded.sha256, rows = excluded.rows, changed = excluded.changed,
        token = excluded.token, written_at = now()
  where report_ledger.changed <= excluded.changed`;
