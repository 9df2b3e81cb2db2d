/** Draws the grid: only the rows and columns in view, one listener for all cells, arrows to move. */
import { useVirtualizer } from "@tanstack/react-virtual";
import {
  type KeyboardEvent,
  type MouseEvent,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { GridHead } from "./grid-head.tsx";
import type { GridModel } from "./grid-model.ts";
import { COLUMN_WIDTH, GridRow, HEAD_HEIGHT, LABEL_WIDTH, ROW_HEIGHT } from "./grid-row.tsx";
import { HoverCard } from "./hover-card.tsx";
import "./grid.css";

/** A place in the grid; row -1 is the run itself. */
interface Place {
  row: number;
  column: number;
}

interface Props {
  model: GridModel;
  selected: { run: string | undefined; task: string | undefined };
  onOpenTask: (run: string, task: string) => void;
  onOpenRun: (run: string) => void;
}

const MOVES: Record<string, Place> = {
  ArrowUp: { row: -1, column: 0 },
  ArrowDown: { row: 1, column: 0 },
  ArrowLeft: { row: 0, column: -1 },
  ArrowRight: { row: 0, column: 1 },
};

export function GridView({ model, selected, onOpenTask, onOpenRun }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const [hover, setHover] = useState<(Place & { anchor: DOMRect }) | null>(null);
  const [cursor, setCursor] = useState<Place | null>(null);
  const { rows, columns } = useWindows(model, scroller);
  useStartAtNewest(model, scroller);

  const open = ({ row, column }: Place) => {
    const run = model.columns[column]?.run.dag_run_id;
    const task = model.tasks[row]?.task_id;
    if (run !== undefined && task !== undefined) onOpenTask(run, task);
    else if (run !== undefined) onOpenRun(run);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Enter" && cursor) return open(cursor);
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    const from = cursor ?? { row: 0, column: model.columns.length };
    const next = {
      row: Math.max(-1, Math.min(model.tasks.length - 1, from.row + move.row)),
      column: Math.max(0, Math.min(model.columns.length - 1, from.column + move.column)),
    };
    setCursor(next);
    if (next.row >= 0) rows.scrollToIndex(next.row);
    columns.scrollToIndex(next.column);
  };
  const onMove = (event: MouseEvent) => {
    const found = cellAt(event);
    if (!found) setHover(null);
    else if (found.row !== hover?.row || found.column !== hover.column) {
      setHover({ ...found, anchor: found.element.getBoundingClientRect() });
    }
  };
  const range = blocks(columns.getVirtualItems(), model.columns.length);
  useShowSelected(model, selected.run, columns.scrollToIndex);
  const selectedColumn = model.columns.findIndex((column) => column.run.dag_run_id === selected.run);
  return (
    <div
      ref={scroller}
      className="grid"
      role="grid"
      aria-label="Runs and tasks"
      aria-rowcount={model.tasks.length + 1}
      aria-colcount={model.columns.length + 1}
      aria-activedescendant={cursor ? `cell-${cursor.row}-${cursor.column}` : undefined}
      // The grid is one stop of the tab key; arrows move inside.
      tabIndex={0}
      onKeyDown={onKey}
      onMouseMove={onMove}
      onMouseLeave={() => setHover(null)}
      onScroll={() => setHover(null)}
      onClick={(event) => {
        const found = cellAt(event);
        if (found) open(found);
      }}
    >
      <div className="grid-inner" style={{ width: LABEL_WIDTH + columns.getTotalSize() }}>
        {hover && <div className="grid-stripe" style={{ left: LABEL_WIDTH + hover.column * COLUMN_WIDTH }} />}
        {selectedColumn >= 0 && (
          <div className="grid-stripe selected" style={{ left: LABEL_WIDTH + selectedColumn * COLUMN_WIDTH }} />
        )}
        <GridHead model={model} range={range} />
        <div role="rowgroup" style={{ height: rows.getTotalSize(), position: "relative" }}>
          {rows.getVirtualItems().map(({ index, start }) => {
            const task = model.tasks[index];
            if (!task) return null;
            return (
              <GridRow
                key={task.task_id}
                task={task}
                row={index}
                top={start}
                columns={model.columns}
                from={range.start}
                to={range.end}
                mark={task.task_id === selected.task ? "selected" : "none"}
              />
            );
          })}
        </div>
        {cursor && cursor.row >= 0 && (
          <div
            className="grid-cursor"
            style={{ left: LABEL_WIDTH + cursor.column * COLUMN_WIDTH, top: HEAD_HEIGHT + cursor.row * ROW_HEIGHT }}
          />
        )}
      </div>
      {hover && <HoverCard model={model} row={hover.row} column={hover.column} anchor={hover.anchor} />}
    </div>
  );
}

const OVERSCAN = 4;
/** Columns come and go in blocks of so many, so that rows are drawn again once a block and not once a column. */
const BLOCK = 8;

function blocks(visible: readonly { index: number }[], total: number): { start: number; end: number } {
  const first = visible[0]?.index ?? 0;
  const last = visible.at(-1)?.index ?? -1;
  const start = Math.floor(first / BLOCK) * BLOCK;
  return { start, end: Math.min(total, Math.ceil((last + 1) / BLOCK) * BLOCK) - 1 };
}

function useWindows(model: GridModel, scroller: RefObject<HTMLDivElement | null>) {
  const rows = useVirtualizer({
    count: model.tasks.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    scrollMargin: HEAD_HEIGHT,
    scrollPaddingStart: HEAD_HEIGHT,
    overscan: OVERSCAN,
  });
  const columns = useVirtualizer({
    horizontal: true,
    count: model.columns.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => COLUMN_WIDTH,
    scrollPaddingStart: LABEL_WIDTH,
    overscan: OVERSCAN,
  });
  return { rows, columns };
}

/** The newest run is in view at first, and stays in view when one comes while the right end is shown. */
function useStartAtNewest(model: GridModel, scroller: RefObject<HTMLDivElement | null>): void {
  const isAtEnd = useRef(true);
  const newest = model.columns.at(-1)?.run.dag_run_id;
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const remember = () => {
      isAtEnd.current = element.scrollLeft + element.clientWidth >= element.scrollWidth - COLUMN_WIDTH;
    };
    element.addEventListener("scroll", remember, { passive: true });
    return () => element.removeEventListener("scroll", remember);
  }, [scroller]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: runs when there is a newer run
  useLayoutEffect(() => {
    if (isAtEnd.current && scroller.current) scroller.current.scrollLeft = scroller.current.scrollWidth;
  }, [newest, scroller]);
}

/** The run that the address names comes into view, also when the side panel takes a part of the width. */
function useShowSelected(model: GridModel, run: string | undefined, scrollTo: (column: number) => void): void {
  const at = model.columns.findIndex((column) => column.run.dag_run_id === run);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once a chosen run, not with every new one
  useEffect(() => {
    if (at < 0) return;
    // After the panel beside the grid has its place.
    const frame = requestAnimationFrame(() => scrollTo(at));
    return () => cancelAnimationFrame(frame);
  }, [run, at >= 0]);
}

function cellAt(event: MouseEvent): (Place & { element: HTMLElement }) | null {
  const element = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-column]") : null;
  if (!element) return null;
  return { element, row: Number(element.dataset.row), column: Number(element.dataset.column) };
}
