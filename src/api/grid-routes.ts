/** `/api/grid`: tasks × runs of a DAG, for the grid and the graph. */
import { z } from "zod";
import { type GridRunRow, getGrid } from "../metadata/views/grid-view.ts";
import { iso, isoOrNull, runType } from "./airflow/shape.ts";
import { type Grid, type GridRun, grid, type RunState, type TaskState } from "./contract.ts";
import { route } from "./route.ts";

function runColumn(row: GridRunRow): GridRun {
  return {
    dag_run_id: row.dag_run_id,
    state: row.state as RunState,
    run_type: runType(row.kind),
    logical_date: isoOrNull(row.logical_date),
    run_after: iso(row.run_after),
    start_date: isoOrNull(row.start_date),
    end_date: isoOrNull(row.end_date),
    duration: row.duration,
    version_number: row.version_number,
    note: row.note,
    cells: row.cells.map((cell) => ({
      ...cell,
      state: cell.state as TaskState,
      start_date: isoOrNull(cell.start_date),
      end_date: isoOrNull(cell.end_date),
    })),
  };
}

const getOne = route({
  method: "get",
  path: "/api/grid/:dag_id",
  guard: "viewer",
  summary: "Tasks and the newest runs of a DAG with a state for each pair, in one query.",
  query: z.object({
    limit: z.coerce.number().int().min(1).max(365).default(25),
    /** `next` of the page before. */
    before: z
      .string()
      .regex(/^\d{1,18}$/)
      .optional(),
  }),
  response: grid,
  handle: async ({ api, params, query }): Promise<Grid> => {
    const rows = await getGrid(api.database, params.dag_id, query.before ?? null, query.limit);
    return {
      dag_id: params.dag_id,
      tasks: rows.tasks,
      runs: rows.runs.map(runColumn),
      next: rows.more ? (rows.runs.at(-1)?.id ?? null) : null,
    };
  },
});

/** The grid. */
export const gridRoutes = [getOne];
