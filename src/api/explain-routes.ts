/** Why something has not started, and when it will. */
import { z } from "zod";
import { explainDag, explainRun } from "../scheduler/explain.ts";
import { dagExplanation, runExplanation } from "./contract.ts";
import { route } from "./route.ts";

const ofDag = route({
  method: "get",
  path: "/api/explain/dags/:dag_id",
  guard: "viewer",
  summary: "What the next run of a DAG waits for.",
  response: dagExplanation,
  handle: ({ api, params }) => explainDag(api.database, params.dag_id),
});

const ofRun = route({
  method: "get",
  path: "/api/explain/dags/:dag_id/runs/:run_id",
  guard: "viewer",
  summary: "What a run and its tasks that have not ended wait for; with `task_id` one task, ended or not.",
  query: z.object({ task_id: z.string().optional(), map_index: z.coerce.number().int().min(-1).optional() }),
  response: runExplanation,
  handle: ({ api, params, query }) => {
    const task = query.task_id === undefined ? undefined : { taskId: query.task_id, mapIndex: query.map_index };
    return explainRun(api.database, params.dag_id, params.run_id, task);
  },
});

/** Explaining. */
export const explainRoutes = [ofDag, ofRun];
