/** What a result shows, as a CSV file (RFC 4180). */
import type { SqlResult } from "../../../src/api/contract.ts";
import type { ResultValue } from "./result.ts";

/** A spreadsheet runs what begins so; a leading quote makes it text. */
const FORMULA = /^[=+@\t\r]|^-(?!\d)/;

function cell(value: ResultValue): string {
  if (value === null) return "";
  const text = String(value);
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The CSV text of a result, header first. */
export function toCsv(result: Pick<SqlResult, "columns" | "rows">): string {
  const lines = [result.columns.map((column) => column.name), ...result.rows];
  return lines.map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}
