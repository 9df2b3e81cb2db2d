/** Rows of a query: types under the names, numbers to the right, nulls told from empty texts. */
import { useMemo } from "react";
import { isNumeric, type ResultValue } from "../lib/result.ts";
import { type Column, DataTable } from "./data-table.tsx";
import { Empty } from "./feedback.tsx";
import "./result-table.css";

interface Props {
  label: string;
  columns: readonly { name: string; type: string }[];
  rows: readonly (readonly ResultValue[])[];
}

const NARROWEST = 90;
const WIDEST = 320;
const CHARACTER_PX = 8;
const SAMPLED_ROWS = 50;

export function ResultTable({ label, columns, rows }: Props) {
  const shown = useMemo(
    () => columns.map((column, index) => resultColumn(column, index, widthOf(column, index, rows))),
    [columns, rows],
  );
  const minWidth = columns.reduce((sum, column, index) => sum + widthOf(column, index, rows), 0);
  return (
    <div className="result">
      <DataTable
        label={label}
        rows={rows}
        columns={shown}
        keyOf={(_row, index) => String(index)}
        rowHeight={28}
        minWidth={minWidth}
        empty={<Empty title="No rows">The query ran and nothing fits it.</Empty>}
      />
    </div>
  );
}

function widthOf({ name, type }: { name: string; type: string }, index: number, rows: Props["rows"]): number {
  let longest = Math.max(name.length, type.length) + 2;
  for (const row of rows.slice(0, SAMPLED_ROWS)) longest = Math.max(longest, String(row[index] ?? "").length);
  return Math.max(NARROWEST, Math.min(WIDEST, longest * CHARACTER_PX + 20));
}

function resultColumn(
  { name, type }: { name: string; type: string },
  index: number,
  width: number,
): Column<readonly ResultValue[]> {
  const isNumber = isNumeric(type);
  return {
    id: `${index} ${name}`,
    title: type ? `${name} · ${type}` : name,
    width: isNumber ? `${width}px` : `minmax(${width}px, 1fr)`,
    ...(isNumber && { align: "right" }),
    sortBy: (row) => {
      const value = row[index] ?? null;
      if (value === null) return isNumber ? Number.NEGATIVE_INFINITY : "";
      return isNumber ? Number(value) : String(value);
    },
    cell: (row) => <Value value={row[index] ?? null} />,
  };
}

function Value({ value }: { value: ResultValue }) {
  if (value === null) return <span className="result-null">null</span>;
  return <span title={String(value)}>{String(value)}</span>;
}
