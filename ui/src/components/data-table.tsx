/** A table that draws only the rows in view, so that 10,000 are no slower than ten. Sorts by the titles of its columns. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import "./data-table.css";

/** One column. */
export interface Column<Row> {
  id: string;
  title: string;
  /** A CSS grid track, e.g. `minmax(160px, 2fr)`. */
  width: string;
  align?: "right";
  cell: (row: Row) => ReactNode;
  /** What it sorts by; absent = it does not. */
  sortBy?: (row: Row) => string | number;
}

interface Props<Row> {
  label: string;
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  keyOf: (row: Row, index: number) => string;
  /** Shown in place of the rows when there are none. */
  empty: ReactNode;
  /** Sorts the rows in place of the table, which may not have all of them; null = as they come. */
  onSort?: (sorting: Sorting | null) => void;
  /** Called when the last row comes into view and more can be fetched. */
  onEnd?: (() => void) | undefined;
  /** Pixels; all rows are equally high. */
  rowHeight?: number;
  /** Narrower than this it scrolls sideways. */
  minWidth?: number;
}

/** By which column, and how. */
export interface Sorting {
  id: string;
  direction: "ascending" | "descending";
}

const OVERSCAN = 12;

export function DataTable<Row>(props: Props<Row>) {
  const { rows, columns, keyOf, onEnd, onSort, rowHeight = 34 } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [sorting, setSorting] = useState<Sorting | null>(null);
  const sorted = useMemo(() => (onSort ? rows : sortRows(rows, columns, sorting)), [rows, columns, sorting, onSort]);
  const sort = (next: Sorting | null) => {
    setSorting(next);
    onSort?.(next);
  };
  const virtual = useVirtualizer({
    count: sorted.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: OVERSCAN,
  });
  const items = virtual.getVirtualItems();
  const reachesEnd = (items.at(-1)?.index ?? -1) >= sorted.length - 1 && sorted.length > 0;
  useEffect(() => {
    if (reachesEnd) onEnd?.();
  }, [reachesEnd, onEnd]);
  const template = columns.map((column) => column.width).join(" ");
  return (
    <div
      className="data-table"
      ref={scroller}
      tabIndex={0}
      role="table"
      aria-label={props.label}
      aria-rowcount={sorted.length}
    >
      <div className="data-table-inner" style={{ minWidth: props.minWidth }}>
        <div className="data-row data-head" role="row" style={{ gridTemplateColumns: template }}>
          {columns.map((column) => (
            <HeadCell key={column.id} column={column} sorting={sorting} onSort={sort} />
          ))}
        </div>
        {sorted.length === 0 && props.empty}
        <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {items.map(({ index, start }) => {
            const row = sorted[index] as Row;
            return (
              <div
                key={keyOf(row, index)}
                className="data-row"
                role="row"
                style={{
                  gridTemplateColumns: template,
                  height: rowHeight,
                  transform: `translateY(${start}px)`,
                  position: "absolute",
                }}
              >
                {columns.map((column) => (
                  <div
                    key={column.id}
                    role="cell"
                    className={column.align === "right" ? "data-cell right" : "data-cell"}
                  >
                    {column.cell(row)}
                  </div>
                ))}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface HeadProps<Row> {
  column: Column<Row>;
  sorting: Sorting | null;
  onSort: (sorting: Sorting | null) => void;
}

function HeadCell<Row>({ column, sorting, onSort }: HeadProps<Row>) {
  const direction = sorting?.id === column.id ? sorting.direction : null;
  const className = column.align === "right" ? "data-cell right" : "data-cell";
  if (!column.sortBy) {
    return (
      <div role="columnheader" className={className}>
        {column.title}
      </div>
    );
  }
  const next = { null: "ascending", ascending: "descending", descending: null } as const;
  const following = next[direction ?? "null"];
  return (
    <div role="columnheader" className={className} aria-sort={direction ?? "none"}>
      <button
        type="button"
        className="data-sort"
        onClick={() => onSort(following && { id: column.id, direction: following })}
      >
        {column.title}
        <span aria-hidden="true">{direction === "ascending" ? " ↑" : direction === "descending" ? " ↓" : ""}</span>
      </button>
    </div>
  );
}

function sortRows<Row>(rows: readonly Row[], columns: readonly Column<Row>[], sorting: Sorting | null): readonly Row[] {
  const value = columns.find((column) => column.id === sorting?.id)?.sortBy;
  if (!sorting || !value) return rows;
  const sign = sorting.direction === "ascending" ? 1 : -1;
  return rows.toSorted((a, b) => sign * compare(value(a), value(b)));
}

function compare(a: string | number, b: string | number): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}
