/** What the command line prints: tables or JSON on stdout, everything else on stderr. */
import { messageOf, QflowError } from "../errors.ts";

/** `-o`: a table for people, JSON for programs. */
export type OutputFormat = "table" | "json";

/** Exit codes of every command. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** One column of a table: its heading and the text of a row's cell. */
export interface Column<Row> {
  heading: string;
  cell: (row: Row) => string | number | boolean | null | undefined;
}

/** Prints rows. JSON is the rows as they are; a table shows the columns, or `empty` where there is no row. */
export function printRows<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  options: { format: OutputFormat; empty: string },
): void {
  if (options.format === "json") {
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  if (rows.length === 0) {
    process.stderr.write(`${options.empty}\n`);
    return;
  }
  process.stdout.write(formatTable(rows, columns));
}

/** Prints one object: JSON, or a line a field. */
export function printFields(fields: Record<string, unknown>, format: OutputFormat): void {
  if (format === "json") {
    process.stdout.write(`${JSON.stringify(fields, null, 2)}\n`);
    return;
  }
  const width = Math.max(...Object.keys(fields).map((key) => key.length));
  for (const [key, value] of Object.entries(fields)) {
    const text = value !== null && typeof value === "object" ? JSON.stringify(value) : String(value ?? "");
    process.stdout.write(`${key.padEnd(width)}  ${text}\n`);
  }
}

/** Columns padded to their widest cell; numbers to the right. */
export function formatTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = rows.map((row) => columns.map((column) => column.cell(row)));
  const widths = columns.map((column, index) =>
    Math.max(column.heading.length, ...cells.map((line) => String(line[index] ?? "").length)),
  );
  const head = columns.map((column, index) => column.heading.toUpperCase().padEnd(widths[index] ?? 0));
  const body = cells.map((line) =>
    line.map((value, index) => {
      const text = String(value ?? "");
      return typeof value === "number" ? text.padStart(widths[index] ?? 0) : text.padEnd(widths[index] ?? 0);
    }),
  );
  return [head, ...body].map((line) => `${line.join("  ").trimEnd()}\n`).join("");
}

/** Says something to the person without touching stdout. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Prints an error as code, sentence, what to do; with the stack only where asked for. Returns the exit code. */
export function printError(error: unknown, detail: "short" | "verbose"): number {
  if (error instanceof QflowError) {
    say(`${error.code}: ${error.message}`);
    if (error.remedy) say(`  → ${error.remedy}`);
    if (detail === "verbose") say(error.stack ?? "");
    return error.code === "USAGE" || error.code === "CONFIG_INVALID" ? EXIT.usage : EXIT.failed;
  }
  say(`INTERNAL: ${messageOf(error)}`);
  if (detail === "verbose" && error instanceof Error) say(error.stack ?? "");
  else say("  → Run the command again with --verbose, and report what it says.");
  return EXIT.failed;
}

/** A line of a long-running process, with its time, on stderr. */
export function logLine(text: string): void {
  say(`${new Date().toISOString()} ${text}`);
}
