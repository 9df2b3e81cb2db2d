/** One task through all runs in view. Rendered again only when its own data or the range changes. */
import { memo } from "react";
import type { GridTask } from "../../../../../src/api/contract.ts";
import { lookOf } from "../../../lib/states.ts";
import type { GridColumn } from "./grid-model.ts";

export const ROW_HEIGHT = 24;
export const COLUMN_WIDTH = 20;
export const LABEL_WIDTH = 240;
export const HEAD_HEIGHT = 84;

interface Props {
  task: GridTask;
  row: number;
  /** From the top of the scroller, head included. */
  top: number;
  columns: readonly GridColumn[];
  /** First and last column drawn. */
  from: number;
  to: number;
  mark: "selected" | "none";
}

export const GridRow = memo(function GridRow({ task, row, top, columns, from, to, mark }: Props) {
  return (
    <div
      role="row"
      className="grid-row"
      data-mark={mark}
      style={{ transform: `translateY(${top - HEAD_HEIGHT}px)`, height: ROW_HEIGHT }}
    >
      <div role="rowheader" className="grid-label" title={`${task.task_id} (${task.operator_name})`}>
        <span className={task.in_latest ? "ellipsis" : "ellipsis faint"}>{task.task_id}</span>
        {task.is_mapped && <span className="faint"> [ ]</span>}
      </div>
      {columns.slice(from, to + 1).map(({ run, cells }, offset) => {
        const cell = cells.get(task.task_id);
        if (!cell) return null;
        return (
          <Cell
            key={run.dag_run_id}
            state={cell.state}
            taskId={task.task_id}
            runId={run.dag_run_id}
            row={row}
            index={from + offset}
          />
        );
      })}
    </div>
  );
});

interface CellProps {
  state: string;
  taskId: string;
  runId: string;
  row: number;
  index: number;
}

/** One element with its shape in the style sheet, and plain values only: thousands of these come and go while scrolling. */
const Cell = memo(function Cell({ state, taskId, runId, row, index }: CellProps) {
  const look = lookOf(state);
  return (
    <div
      role="gridcell"
      id={`cell-${row}-${index}`}
      data-row={row}
      data-column={index}
      data-state={look.name}
      data-shape={look.shape}
      className="grid-cell"
      aria-label={`${taskId}, ${runId}: ${look.word}`}
      style={{ left: LABEL_WIDTH + index * COLUMN_WIDTH }}
    />
  );
});
