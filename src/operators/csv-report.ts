/** `csvReport`: one CSV file for every partition of a query that changed since the report was last written. */
import { z } from "zod";
import { defineOperator } from "../dag/define-operator.ts";

const column = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "a column is a plain identifier");
const PARTITION = "{partition}";

/** Config of {@link csvReport}. */
export const csvReportSchema = z.strictObject({
  connection: z.string().min(1),
  /** Name of the report in the ledger, unique in an installation. Default: `<dag>.<task>`. */
  report: z.string().min(1).optional(),
  /** A SELECT that gives `partitionBy`, `changedBy` and `columns`, for all partitions, in any order. */
  query: z.string().min(1),
  /** Column whose values (dates as YYYY-MM-DD) split the result into files. Never null. */
  partitionBy: column,
  /** Integer column, the same in all rows of a partition, that grows whenever the partition's rows change. */
  changedBy: column,
  /** Columns of the file, in order; the header has exactly these names. */
  columns: z.array(column).min(1),
  /** Rows are sorted by these, then by the other columns, comparing code points. Default: `columns`. */
  sortBy: z.array(column).optional(),
  /** Name of a file, with `{partition}` for the value of `partitionBy`. */
  fileName: z
    .string()
    .refine((name) => name.split(PARTITION).length === 2 && !name.includes("/"), `a file name with ${PARTITION} once`),
  /** Folder of the files. Relative to the reports folder (`QFLOW_REPORTS`). */
  directory: z.string().min(1),
  lineEnding: z.enum(["crlf", "lf"]).default("crlf"),
  /** Also uploads every file written to this FTP server, under a temporary name that is then renamed. */
  deliver: z.strictObject({ connection: z.string().min(1), path: z.string().min(1) }).optional(),
  /** Longest time the query may take. */
  querySeconds: z.number().positive().default(600),
});

/** {@link csvReportSchema} once checked. */
export type CsvReportConfig = z.output<typeof csvReportSchema>;

/** One file that this run wrote or found up to date. */
export type ReportFile = {
  partition: string;
  path: string;
  rows: number;
  sha256: string;
  /** Whether its bytes differ from what was there before. */
  changed: boolean;
};

/** The XCom of {@link csvReport}. */
export type ReportResult = {
  files: ReportFile[];
  /** Partitions that lost all their rows: their files now hold the header alone. */
  emptied: string[];
  /** The highest `changedBy` the report has covered; null when there was never a row. */
  watermark: string | null;
};

/** Writes the changed partitions of a query as CSV files. See docs/operators/csv-report.md. */
export const csvReport = defineOperator<ReportResult, typeof csvReportSchema>("csv_report", csvReportSchema);
