/** `/api/v2/dags/{dag_id}/dagRuns/{run}/taskInstances`: instances, tries, values. */
import { z } from "zod";
import { QflowError } from "../../errors.ts";
import {
  getTaskInstance,
  INSTANCE_ORDER,
  type InstanceKey,
  listTaskInstances,
  listTries,
  listXComs,
  type XComRow,
} from "../../metadata/views/task-views.ts";
import {
  taskInstance,
  taskInstanceCollection,
  taskTryCollection,
  type XComEntry,
  xcomCollection,
  xcomEntry,
} from "../contract.ts";
import { route } from "../route.ts";
import { many, sliceOf, slicing } from "./list-query.ts";
import { idOrAll } from "./run-routes.ts";
import { instanceShape, iso, isoOrNull, tryShape } from "./shape.ts";

const BASE = "/api/v2/dags/:dag_id/dagRuns/:run_id";
const mapIndex = z.coerce.number().int().min(-1);

interface InstancePath {
  readonly dag_id: string;
  readonly run_id: string;
  readonly task_id: string;
}

/** The task instance that a path and a map index name. */
export function instanceKey(params: InstancePath, index: number | string): InstanceKey {
  const parsed = mapIndex.safeParse(index);
  if (!parsed.success) throw new QflowError("NOT_FOUND", `\`${index}\` is no map index`);
  return { dagId: params.dag_id, runId: params.run_id, taskId: params.task_id, mapIndex: parsed.data };
}

const listQuery = z.object({
  ...slicing(INSTANCE_ORDER),
  state: many.optional(),
  pool: many.optional(),
  task_id: z.string().optional(),
  map_index: mapIndex.optional(),
});

const list = route({
  method: "get",
  path: `${BASE}/taskInstances`,
  guard: "viewer",
  summary: "Task instances of a run; `~` for a DAG or a run means all.",
  query: listQuery,
  response: taskInstanceCollection,
  handle: async ({ api, params, query }) => {
    const page = await listTaskInstances(
      api.database,
      {
        dagId: idOrAll(params.dag_id),
        runId: idOrAll(params.run_id),
        taskId: query.task_id,
        mapIndex: query.map_index,
        states: query.state,
        pools: query.pool,
      },
      sliceOf(query),
    );
    return { task_instances: page.rows.map(instanceShape), total_entries: page.total };
  },
});

const listMapped = route({
  method: "get",
  path: `${BASE}/taskInstances/:task_id/listMapped`,
  guard: "viewer",
  summary: "Instances of one mapped task.",
  query: listQuery.omit({ task_id: true, map_index: true }),
  response: taskInstanceCollection,
  handle: async ({ api, params, query }) => {
    const wanted = {
      dagId: params.dag_id,
      runId: params.run_id,
      taskId: params.task_id,
      states: query.state,
      pools: query.pool,
    };
    const page = await listTaskInstances(api.database, wanted, sliceOf(query));
    return { task_instances: page.rows.map(instanceShape), total_entries: page.total };
  },
});

const get = route({
  method: "get",
  path: `${BASE}/taskInstances/:task_id`,
  guard: "viewer",
  summary: "One task instance that is not mapped.",
  response: taskInstance,
  handle: async ({ api, params }) => instanceShape(await getTaskInstance(api.database, instanceKey(params, -1))),
});

const tries = route({
  method: "get",
  path: `${BASE}/taskInstances/:task_id/tries`,
  guard: "viewer",
  summary: "All tries of a task instance, oldest first.",
  query: z.object({ map_index: mapIndex.default(-1) }),
  response: taskTryCollection,
  handle: async ({ api, params, query }) => {
    const rows = await listTries(api.database, instanceKey(params, query.map_index));
    return { task_instances: rows.map(tryShape), total_entries: rows.length };
  },
});

const getMapped = route({
  method: "get",
  path: `${BASE}/taskInstances/:task_id/:map_index`,
  guard: "viewer",
  summary: "One mapped task instance.",
  response: taskInstance,
  handle: async ({ api, params }) =>
    instanceShape(await getTaskInstance(api.database, instanceKey(params, params.map_index))),
});

const mappedTries = route({
  method: "get",
  path: `${BASE}/taskInstances/:task_id/:map_index/tries`,
  guard: "viewer",
  summary: "All tries of a mapped task instance.",
  response: taskTryCollection,
  handle: async ({ api, params }) => {
    const rows = await listTries(api.database, instanceKey(params, params.map_index));
    return { task_instances: rows.map(tryShape), total_entries: rows.length };
  },
});

const RETURN_VALUE = "return_value";

function xcomShape(row: XComRow): XComEntry {
  return {
    key: RETURN_VALUE,
    timestamp: iso(row.at),
    logical_date: isoOrNull(row.logical_date),
    run_after: iso(row.run_after),
    map_index: row.map_index,
    task_id: row.task_id,
    dag_id: row.dag_id,
    run_id: row.run_id,
    dag_display_name: row.dag_id,
    task_display_name: row.task_id,
    value: row.value,
  };
}

const xcoms = route({
  method: "get",
  path: `${BASE}/taskInstances/:task_id/xcomEntries`,
  guard: "viewer",
  summary: "What a task returned, without the values; `~` for the task means all of the run.",
  query: z.object({ ...slicing({}), map_index: mapIndex.optional() }),
  response: xcomCollection,
  handle: async ({ api, params, query }) => {
    const wanted = {
      dagId: params.dag_id,
      runId: params.run_id,
      taskId: idOrAll(params.task_id),
      mapIndex: query.map_index,
    };
    const page = await listXComs(api.database, wanted, sliceOf(query));
    const entries = page.rows.map((row) => {
      const { value: _value, ...entry } = xcomShape(row);
      return entry;
    });
    return { xcom_entries: entries, total_entries: page.total };
  },
});

const xcom = route({
  method: "get",
  path: `${BASE}/taskInstances/:task_id/xcomEntries/:key`,
  guard: "viewer",
  summary: "What a task returned; the one key is `return_value`.",
  query: z.object({
    map_index: mapIndex.default(-1),
    deserialize: z.string().optional(),
    stringify: z.string().optional(),
  }),
  response: xcomEntry,
  handle: async ({ api, params, query }) => {
    const key = instanceKey(params, query.map_index);
    const page =
      params.key === RETURN_VALUE ? await listXComs(api.database, key, { limit: 1, offset: 0, orderBy: [] }) : null;
    const row = page?.rows[0];
    if (!row) throw new QflowError("NOT_FOUND", `XCom entry with key: \`${params.key}\` not found`);
    return xcomShape(row);
  },
});

/** Reading task instances. The longer paths come before the ones whose parameter would swallow them. */
export const taskRoutes = [list, listMapped, tries, xcoms, xcom, get, mappedTries, getMapped];
