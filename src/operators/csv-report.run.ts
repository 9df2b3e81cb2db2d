/** The work of `csvReport`: which partitions changed, one query for all of them, one file each, then the ledger. */
import { createReadStream } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { basename, join, posix, resolve } from "node:path";
import { QflowError } from "../errors.ts";
import { type LedgerEntry, readLedger, recordReport } from "../metadata/report-ledger.ts";
import { openFtp } from "./clients/ftp.ts";
import { type HiveSession, openHive } from "./clients/hive.ts";
import type { HiveValue } from "./clients/hive-rows.ts";
import { type CsvDraft, openDraft, removeDrafts, sha256OfFile } from "./csv-file.ts";
import type { CsvReportConfig, ReportFile, ReportResult } from "./csv-report.ts";
import { literal } from "./hive-ddl-plan.ts";
import type { OperatorContext, OperatorRun } from "./run.ts";

/** See docs/operators/csv-report.md. Throws REPORT_INVALID, what the Hive client throws, FTP_UNAVAILABLE, FENCED. */
export const run: OperatorRun<CsvReportConfig, ReportResult> = async (config, context) => {
  const report = config.report ?? `${context.dagId}.${context.taskId}`;
  const folder = resolve(context.config.reportsDir, config.directory);
  await mkdir(folder, { recursive: true });
  await removeDrafts(folder, context.attempt.token);
  const session = await openHive(context.connection(config.connection));
  try {
    const work = new ReportWork(config, context, session, folder);
    const ledger = await readLedger(context.database, report);
    const due = duePartitions(await work.changes(), ledger, await work.missing(ledger));
    context.log.info(`${due.length} of ${ledger.length} known partitions to write`, { report });
    const written = await work.writeAll(due);
    if (config.deliver) await work.deliver(written);
    await context.publishPermit();
    const entries = written.map(({ file, due: { changed } }) => ({
      partition: file.partition,
      fileName: fileNameOf(config, file.partition),
      sha256: file.sha256,
      rows: file.rows,
      changed,
    }));
    await context.database.transaction((sql) => recordReport(sql, { report, token: context.attempt.token, entries }));
    const files = written.map(({ file }) => file);
    return {
      files,
      emptied: written.filter(({ due }) => due.vanished).map(({ file }) => file.partition),
      watermark: highest([...ledger, ...entries]),
    };
  } finally {
    await session.close();
  }
};

/** A partition whose file must be looked at. */
export interface DuePartition {
  readonly partition: string;
  readonly changed: string;
  /** It has no row any more. */
  readonly vanished: boolean;
}

/** Partitions that are new, changed since the ledger, without a file, or gone; in order. */
export function duePartitions(
  changes: ReadonlyMap<string, string>,
  ledger: readonly LedgerEntry[],
  missing: ReadonlySet<string>,
): DuePartition[] {
  const known = new Map(ledger.map((entry) => [entry.partition, entry]));
  const due: DuePartition[] = [];
  for (const [partition, changed] of changes) {
    const entry = known.get(partition);
    if (!entry || BigInt(changed) > BigInt(entry.changed) || missing.has(partition)) {
      due.push({ partition, changed, vanished: false });
    }
  }
  for (const entry of ledger) {
    const gone = !changes.has(entry.partition);
    if (gone && (entry.rows > 0 || missing.has(entry.partition))) {
      due.push({ partition: entry.partition, changed: entry.changed, vanished: true });
    }
  }
  return due.sort((a, b) => (a.partition < b.partition ? -1 : 1));
}

function highest(entries: readonly { changed: string }[]): string | null {
  const ascending = entries.map((entry) => BigInt(entry.changed)).sort((a, b) => Number(a - b));
  return ascending.at(-1)?.toString() ?? null;
}

function fileNameOf(config: CsvReportConfig, partition: string): string {
  if (!/^[\w.=-]+$/.test(partition) || partition.startsWith(".")) {
    throw new QflowError("REPORT_INVALID", `${JSON.stringify(partition)} cannot be part of a file name`);
  }
  return config.fileName.replace("{partition}", partition);
}

interface Written {
  readonly due: DuePartition;
  readonly file: ReportFile;
}

class ReportWork {
  readonly #config: CsvReportConfig;
  readonly #context: OperatorContext;
  readonly #session: HiveSession;
  readonly #folder: string;

  constructor(config: CsvReportConfig, context: OperatorContext, session: HiveSession, folder: string) {
    this.#config = config;
    this.#context = context;
    this.#session = session;
    this.#folder = folder;
  }

  /** Partition → changed-by, for all partitions that have rows. */
  async changes(): Promise<Map<string, string>> {
    const { query, partitionBy, changedBy } = this.#config;
    const sql = `SELECT CAST(\`${partitionBy}\` AS STRING), CAST(MAX(\`${changedBy}\`) AS STRING) FROM (${query}) GROUP BY 1`;
    const changes = new Map<string, string>();
    for await (const { rows } of this.#session.stream(sql, this.#limits())) {
      for (const [partition, changed] of rows) {
        if (partition === null || changed === null) {
          throw new QflowError("REPORT_INVALID", `${partitionBy} and ${changedBy} must not be null`);
        }
        changes.set(String(partition), String(changed));
      }
    }
    return changes;
  }

  /** Partitions of the ledger whose file is not there, or is not the one that was written. */
  async missing(ledger: readonly LedgerEntry[]): Promise<Set<string>> {
    const missing = new Set<string>();
    for (const entry of ledger) {
      const now = await sha256OfFile(join(this.#folder, entry.fileName));
      if (now !== entry.sha256) missing.add(entry.partition);
    }
    return missing;
  }

  /** Writes the files of all due partitions from one query, in order. */
  async writeAll(due: readonly DuePartition[]): Promise<Written[]> {
    const written: Written[] = [];
    const waiting = [...due];
    let current: { due: DuePartition; draft: CsvDraft } | null = null;
    try {
      for await (const { partition, rows } of this.#rowsByPartition(due.filter((one) => !one.vanished))) {
        // Due partitions without a row in between have vanished meanwhile, or had: they get the header alone.
        while (current?.due.partition !== partition) {
          if (current) written.push(await this.#publish(current));
          const next = waiting.shift();
          if (!next) throw new QflowError("REPORT_INVALID", `the query gave ${partition} out of order`);
          current = { due: next, draft: await this.#open(next) };
        }
        await current.draft.write(rows);
      }
      if (current) written.push(await this.#publish(current));
      current = null;
      for (const rest of waiting) written.push(await this.#publish({ due: rest, draft: await this.#open(rest) }));
    } finally {
      await current?.draft.discard();
    }
    return written;
  }

  /**
   * Uploads what was due: under a temporary name, then renamed. Files that did not change are sent too, since an attempt may have been
   * killed after it wrote them and before it sent them.
   */
  async deliver(written: readonly Written[]): Promise<void> {
    const target = this.#config.deliver;
    if (!target || written.length === 0) return;
    const ftp = await openFtp(this.#context.connection(target.connection), this.#context.signal);
    try {
      for (const { file } of written) {
        const { size } = await stat(file.path);
        await ftp.upload(createReadStream(file.path), posix.join(target.path, basename(file.path)), size);
      }
    } finally {
      ftp.close();
    }
  }

  #limits() {
    return { timeoutMs: this.#config.querySeconds * 1000, signal: this.#context.signal };
  }

  #open(due: DuePartition): Promise<CsvDraft> {
    const path = join(this.#folder, fileNameOf(this.#config, due.partition));
    return openDraft(path, {
      token: this.#context.attempt.token,
      header: this.#config.columns,
      ending: this.#config.lineEnding,
    });
  }

  async #publish({ due, draft }: { due: DuePartition; draft: CsvDraft }): Promise<Written> {
    const path = join(this.#folder, fileNameOf(this.#config, due.partition));
    const { sha256, rows } = await draft.finish();
    const changed = (await sha256OfFile(path)) !== sha256;
    if (changed) {
      await this.#context.publishPermit();
      await draft.publish();
    } else await draft.discard();
    return { due, file: { partition: due.partition, path, rows, sha256, changed } };
  }

  async *#rowsByPartition(
    due: readonly DuePartition[],
  ): AsyncGenerator<{ partition: string; rows: (string | null)[][] }> {
    if (due.length === 0) return;
    let done = 0;
    for await (const { rows } of this.#session.stream(this.#rowsQuery(due), this.#limits())) {
      for (const [partition, group] of groupRuns(rows)) yield { partition, rows: group };
      done += rows.length;
      this.#context.progress("rows", done, null);
    }
  }

  #rowsQuery(due: readonly DuePartition[]): string {
    const { query, partitionBy, columns, sortBy } = this.#config;
    const order = [...new Set([...(sortBy ?? columns), ...columns])];
    const text = (column: string) => `CAST(\`${column}\` AS STRING)`;
    const wanted = due.map((one) => literal(one.partition)).join(", ");
    return (
      `SELECT ${[partitionBy, ...columns].map((column) => `${text(column)} AS \`${column}\``).join(", ")} FROM (${query})` +
      ` WHERE ${text(partitionBy)} IN (${wanted}) ORDER BY ${[partitionBy, ...order].map(text).join(", ")}`
    );
  }
}

/** Consecutive rows of one partition, the partition's column taken off. */
function groupRuns(rows: readonly HiveValue[][]): [string, (string | null)[][]][] {
  const groups: [string, (string | null)[][]][] = [];
  for (const [partition, ...cells] of rows) {
    const name = String(partition);
    const texts = cells.map((cell) => (cell === null ? null : String(cell)));
    const last = groups.at(-1);
    if (last?.[0] === name) last[1].push(texts);
    else groups.push([name, [texts]]);
  }
  return groups;
}
