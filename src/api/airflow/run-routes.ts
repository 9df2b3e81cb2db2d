/** `/api/v2/dags/{dag_id}/dagRuns`: reading runs. */
import { z } from "zod";
import { getRun, listRuns, RUN_ORDER } from "../../metadata/views/run-views.ts";
import { dagRun, dagRunCollection } from "../contract.ts";
import { route } from "../route.ts";
import { many, sliceOf, slicing, when } from "./list-query.ts";
import { runKinds, runShape } from "./shape.ts";

/** Where Airflow takes an id, `~` stands for all. */
export function idOrAll(id: string): string | undefined {
  return id === "~" ? undefined : id;
}

const list = route({
  method: "get",
  path: "/api/v2/dags/:dag_id/dagRuns",
  guard: "viewer",
  summary: "Runs of a DAG, or of all with `~`.",
  query: z.object({
    ...slicing(RUN_ORDER),
    state: many.optional(),
    run_type: many.optional(),
    logical_date_gte: when.optional(),
    logical_date_lte: when.optional(),
    run_after_gte: when.optional(),
    run_after_lte: when.optional(),
    start_date_gte: when.optional(),
    start_date_lte: when.optional(),
  }),
  response: dagRunCollection,
  handle: async ({ api, params, query }) => {
    const page = await listRuns(
      api.database,
      {
        dagId: idOrAll(params.dag_id),
        states: query.state,
        kinds: query.run_type?.flatMap(runKinds),
        logicalDateFrom: query.logical_date_gte,
        logicalDateTo: query.logical_date_lte,
        runAfterFrom: query.run_after_gte,
        runAfterTo: query.run_after_lte,
        startedFrom: query.start_date_gte,
        startedTo: query.start_date_lte,
      },
      sliceOf(query),
    );
    return { dag_runs: page.rows.map(runShape), total_entries: page.total };
  },
});

const get = route({
  method: "get",
  path: "/api/v2/dags/:dag_id/dagRuns/:run_id",
  guard: "viewer",
  summary: "One run.",
  response: dagRun,
  handle: async ({ api, params }) => runShape(await getRun(api.database, params.dag_id, params.run_id)),
});

/** Reading runs. */
export const runRoutes = [list, get];
