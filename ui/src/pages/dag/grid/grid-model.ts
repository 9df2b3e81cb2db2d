/** From the pages the server sent to rows and columns: tasks in topological order, runs oldest first. */
import type { Grid, GridCell, GridRun, GridTask } from "../../../../../src/api/contract.ts";

/** One column. */
export interface GridColumn {
  run: GridRun;
  cells: ReadonlyMap<string, GridCell>;
}

/** What the grid draws. */
export interface GridModel {
  tasks: readonly GridTask[];
  columns: readonly GridColumn[];
  /** Seconds of the longest run; at least 1. */
  longest: number;
}

/** Pages come newest first, and a run may stand in two of them when a new one pushed it on. */
export function gridModel(pages: readonly Grid[]): GridModel {
  const tasks = new Map<string, GridTask>();
  const columns = new Map<string, GridColumn>();
  for (const page of pages) {
    for (const task of page.tasks) if (!tasks.has(task.task_id)) tasks.set(task.task_id, task);
    for (const run of page.runs) {
      if (columns.has(run.dag_run_id)) continue;
      columns.set(run.dag_run_id, { run, cells: new Map(run.cells.map((cell) => [cell.task_id, cell])) });
    }
  }
  const ordered = [...columns.values()].reverse();
  return {
    tasks: [...tasks.values()].sort((a, b) => Number(b.in_latest) - Number(a.in_latest) || a.index - b.index),
    columns: ordered,
    longest: Math.max(1, ...ordered.map((column) => column.run.duration ?? 0)),
  };
}
