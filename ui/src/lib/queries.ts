/**
 * What the pages read, as query options: key, address and type in one place.
 * Keys begin with what a change event names (see live.ts): "dag" + id, "dag" + id + "run" + id, "datasets", …
 */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import type {
  DagCollection,
  DagDetails,
  DagRun,
  DagRunCollection,
  DagSource,
  DagVersionCollection,
  DatasetDetails,
  DatasetPage,
  DatasetSample,
  DatasetSchemas,
  FeedFilePage,
  Grid,
  Health,
  HitlDetail,
  ImportErrorCollection,
  Insight,
  InsightList,
  LineageGraph,
  Me,
  PoolCollection,
  RunExplanation,
  TaskCollection,
  TaskInstance,
  TaskInstanceCollection,
  TaskTryCollection,
  XComCollection,
  XComEntry,
} from "../../../src/api/contract.ts";
import { ApiError, get, type Params, url } from "./http.ts";

/** Where a task instance is. */
export interface TaskAddress {
  dagId: string;
  runId: string;
  taskId: string;
  /** -1 where the task is not mapped. */
  mapIndex: number;
}

/** Who is logged in; fails with status 401 when nobody is. */
export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: ({ signal }) => get<Me>(url(["me"]), signal),
  staleTime: 60_000,
  retry: false,
});

/** How many rows one page of the DAG list holds. */
export const DAG_PAGE = 100;

/** DAGs whose id contains `search`, page by page. */
export function dagListQuery(search: string) {
  return infiniteQueryOptions({
    queryKey: ["dags", search],
    queryFn: ({ pageParam, signal }) =>
      get<DagCollection>(
        url(["v2", "dags"], { limit: DAG_PAGE, offset: pageParam, dag_id_pattern: search ? `%${search}%` : null }),
        signal,
      ),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => {
      const loaded = pages.reduce((sum, page) => sum + page.dags.length, 0);
      return last.dags.length > 0 && loaded < last.total_entries ? loaded : undefined;
    },
    placeholderData: keepPreviousData,
  });
}

/** A few DAGs matching what was typed in the palette. */
export const dagSearchQuery = (search: string) =>
  queryOptions({
    queryKey: ["dags", "search", search],
    queryFn: ({ signal }) =>
      get<DagCollection>(url(["v2", "dags"], { limit: 8, dag_id_pattern: search ? `%${search}%` : null }), signal),
    placeholderData: keepPreviousData,
  });

/** DAGs whose next run comes first. */
export const nextRunsQuery = queryOptions({
  queryKey: ["dags", "next"],
  queryFn: ({ signal }) =>
    get<DagCollection>(url(["v2", "dags"], { limit: 20, paused: false, order_by: "next_dagrun" }), signal),
});

export const dagQuery = (dagId: string) =>
  queryOptions({
    queryKey: ["dag", dagId, "details"],
    queryFn: ({ signal }) => get<DagDetails>(url(["v2", "dags", dagId, "details"]), signal),
  });

export const tasksQuery = (dagId: string) =>
  queryOptions({
    queryKey: ["dag", dagId, "tasks"],
    queryFn: ({ signal }) => get<TaskCollection>(url(["v2", "dags", dagId, "tasks"]), signal),
  });

/** Runs per page of the grid. */
export const GRID_PAGE = 30;

/** Runs × tasks, newest first, older pages on request. */
export const gridQuery = (dagId: string) =>
  infiniteQueryOptions({
    queryKey: ["dag", dagId, "grid"],
    queryFn: ({ pageParam, signal }) =>
      get<Grid>(url(["grid", dagId], { limit: GRID_PAGE, before: pageParam }), signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
  });

export const versionsQuery = (dagId: string) =>
  queryOptions({
    queryKey: ["dag", dagId, "versions"],
    queryFn: ({ signal }) =>
      get<DagVersionCollection>(url(["v2", "dags", dagId, "dagVersions"], { order_by: "-version_number" }), signal),
  });

export const sourceQuery = (dagId: string, version: number | null) =>
  queryOptions({
    queryKey: ["dag", dagId, "source", version],
    queryFn: ({ signal }) => get<DagSource>(url(["v2", "dagSources", dagId], { version_number: version }), signal),
    placeholderData: keepPreviousData,
  });

/** Runs per page of a list of runs. */
export const RUN_PAGE = 50;

export const runListQuery = (dagId: string, state: string | null) =>
  infiniteQueryOptions({
    queryKey: ["dag", dagId, "runs", state],
    queryFn: ({ pageParam, signal }) =>
      get<DagRunCollection>(
        url(["v2", "dags", dagId, "dagRuns"], { limit: RUN_PAGE, offset: pageParam, order_by: "-run_after", state }),
        signal,
      ),
    initialPageParam: 0,
    // By the length of the last one: beyond 10,000 the total is an estimate.
    getNextPageParam: (last, pages) => (last.dag_runs.length === RUN_PAGE ? pages.length * RUN_PAGE : undefined),
    placeholderData: keepPreviousData,
  });

/** Runs of all DAGs for the home page and the palette. */
export const anyRunsQuery = (name: string, params: Params) =>
  queryOptions({
    queryKey: ["overview", "runs", name, params],
    queryFn: ({ signal }) => get<DagRunCollection>(url(["v2", "dags", "~", "dagRuns"], params), signal),
    placeholderData: keepPreviousData,
  });

/** Task instances of all DAGs for the home page. */
export const anyTaskInstancesQuery = (name: string, params: Params) =>
  queryOptions({
    queryKey: ["overview", "taskInstances", name, params],
    queryFn: ({ signal }) =>
      get<TaskInstanceCollection>(url(["v2", "dags", "~", "dagRuns", "~", "taskInstances"], params), signal),
    placeholderData: keepPreviousData,
  });

export const importErrorsQuery = queryOptions({
  queryKey: ["overview", "importErrors"],
  queryFn: ({ signal }) => get<ImportErrorCollection>(url(["v2", "importErrors"], { limit: 50 }), signal),
  refetchInterval: 15_000,
});

export const healthQuery = queryOptions({
  queryKey: ["overview", "health"],
  queryFn: ({ signal }) => get<Health>(url(["v2", "monitor", "health"]), signal),
  refetchInterval: 5_000,
});

export const poolsQuery = queryOptions({
  queryKey: ["overview", "pools"],
  queryFn: ({ signal }) => get<PoolCollection>(url(["v2", "pools"]), signal),
  refetchInterval: 10_000,
});

export const runQuery = (dagId: string, runId: string) =>
  queryOptions({
    queryKey: ["dag", dagId, "run", runId, "header"],
    queryFn: ({ signal }) => get<DagRun>(url(["v2", "dags", dagId, "dagRuns", runId]), signal),
  });

/** Why a run, or one task of it, waits; asked again while it is looked at, as what it waits for is elsewhere. */
export const explainQuery = (dagId: string, runId: string, task?: TaskAddress) =>
  queryOptions({
    queryKey: ["dag", dagId, "run", runId, "explain", task?.taskId ?? null, task?.mapIndex ?? null],
    queryFn: ({ signal }) => {
      const params = task ? { task_id: task.taskId, map_index: task.mapIndex } : {};
      return get<RunExplanation>(url(["explain", "dags", dagId, "runs", runId], params), signal);
    },
    refetchInterval: 5_000,
  });

/** Task instances per page of a list of them. */
const TASK_PAGE = 500;

/** Pages of task instances from an address of the API. */
const taskPages = (path: readonly string[], params: Params) => ({
  queryFn: ({ pageParam, signal }: { pageParam: number; signal: AbortSignal }) =>
    get<TaskInstanceCollection>(url(path, { ...params, limit: TASK_PAGE, offset: pageParam }), signal),
  initialPageParam: 0,
  // By the length of the last one: beyond 10,000 the total is an estimate.
  getNextPageParam: (last: TaskInstanceCollection, pages: readonly TaskInstanceCollection[]) =>
    last.task_instances.length === TASK_PAGE ? pages.length * TASK_PAGE : undefined,
});

/** All task instances of a run in the order of its tasks, mapped ones one by one. */
export const runTasksQuery = (dagId: string, runId: string) =>
  infiniteQueryOptions({
    queryKey: ["dag", dagId, "run", runId, "tasks"],
    ...taskPages(["v2", "dags", dagId, "dagRuns", runId, "taskInstances"], {}),
  });

/** The first of a run's task instances that are in one of these states; `total_entries` counts all of them up to 10,000. */
export const runTasksInQuery = (dagId: string, runId: string, state: readonly string[], limit: number) =>
  queryOptions({
    queryKey: ["dag", dagId, "run", runId, "tasks in", state, limit],
    queryFn: ({ signal }) =>
      get<TaskInstanceCollection>(
        url(["v2", "dags", dagId, "dagRuns", runId, "taskInstances"], { state, limit }),
        signal,
      ),
  });

/** The mapped instances of one task; `order` = a name that the API orders by, descending with a leading minus; null = by index. */
export const mappedQuery = (at: TaskAddress, order: string | null) =>
  infiniteQueryOptions({
    queryKey: ["dag", at.dagId, "run", at.runId, "mapped", at.taskId, order],
    ...taskPages(["v2", "dags", at.dagId, "dagRuns", at.runId, "taskInstances", at.taskId, "listMapped"], {
      order_by: order,
    }),
    placeholderData: keepPreviousData,
  });

/** Segments of a task instance's address. */
export function instancePath(at: TaskAddress): string[] {
  const path = ["v2", "dags", at.dagId, "dagRuns", at.runId, "taskInstances", at.taskId];
  return at.mapIndex < 0 ? path : [...path, String(at.mapIndex)];
}

/** Null = there is none of this index: of a mapped task that has its items, for example. */
export const taskInstanceQuery = (at: TaskAddress) =>
  queryOptions({
    queryKey: ["dag", at.dagId, "run", at.runId, "task", at.taskId, at.mapIndex],
    queryFn: ({ signal }) =>
      get<TaskInstance>(url(instancePath(at)), signal).catch((error: unknown) => {
        if (ApiError.from(error).status === 404) return null;
        throw error;
      }),
    // Progress changes without a change of state, so a running instance is asked again.
    refetchInterval: (query) => (query.state.data?.state === "running" ? 2_000 : false),
  });

/** Where a task instance's question is. */
export function approvalPath(at: TaskAddress): string[] {
  return ["v2", "dags", at.dagId, "dagRuns", at.runId, "taskInstances", at.taskId, String(at.mapIndex), "hitlDetails"];
}

export const approvalQuery = (at: TaskAddress) =>
  queryOptions({
    queryKey: ["dag", at.dagId, "run", at.runId, "approval", at.taskId, at.mapIndex],
    queryFn: ({ signal }) => get<HitlDetail>(url(approvalPath(at)), signal),
    // The scheduler puts the question a moment after the task began to wait.
    retry: 5,
  });

export const triesQuery = (at: TaskAddress) =>
  queryOptions({
    queryKey: ["dag", at.dagId, "run", at.runId, "tries", at.taskId, at.mapIndex],
    queryFn: ({ signal }) => get<TaskTryCollection>(url([...instancePath(at), "tries"]), signal),
  });

const xcomPath = (at: TaskAddress) => [
  "v2",
  "dags",
  at.dagId,
  "dagRuns",
  at.runId,
  "taskInstances",
  at.taskId,
  "xcomEntries",
];

export const xcomListQuery = (at: TaskAddress) =>
  queryOptions({
    queryKey: ["dag", at.dagId, "run", at.runId, "xcoms", at.taskId, at.mapIndex],
    queryFn: ({ signal }) => get<XComCollection>(url(xcomPath(at), { map_index: at.mapIndex }), signal),
  });

export const xcomQuery = (at: TaskAddress, key: string) =>
  queryOptions({
    queryKey: ["dag", at.dagId, "run", at.runId, "xcom", at.taskId, at.mapIndex, key],
    queryFn: ({ signal }) => get<XComEntry>(url([...xcomPath(at), key], { map_index: at.mapIndex }), signal),
  });

/** Datasets whose name contains `search`, page by page. */
export const datasetListQuery = (search: string, layer: string | null) =>
  infiniteQueryOptions({
    queryKey: ["datasets", search, layer],
    queryFn: ({ pageParam, signal }) =>
      get<DatasetPage>(url(["catalog", "datasets"], { search, layer, limit: 200, after: pageParam }), signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
  });

/** A few datasets matching what was typed in the palette. */
export const datasetSearchQuery = (search: string) =>
  queryOptions({
    queryKey: ["datasets", "search", search],
    queryFn: ({ signal }) => get<DatasetPage>(url(["catalog", "datasets"], { search, limit: 8 }), signal),
    placeholderData: keepPreviousData,
  });

export const datasetQuery = (id: string) =>
  queryOptions({
    queryKey: ["dataset", id],
    queryFn: ({ signal }) => get<DatasetDetails>(url(["catalog", "datasets", id]), signal),
  });

export const schemasQuery = (id: string) =>
  queryOptions({
    queryKey: ["dataset", id, "schemas"],
    queryFn: ({ signal }) => get<DatasetSchemas>(url(["catalog", "datasets", id, "schemas"]), signal),
  });

export const sampleQuery = (id: string) =>
  queryOptions({
    queryKey: ["dataset", id, "sample"],
    queryFn: ({ signal }) => get<DatasetSample>(url(["catalog", "datasets", id, "sample"]), signal),
    staleTime: 60_000,
    retry: false,
  });

/** The node and its neighbours one dataset away. */
export const lineageQuery = (node: string) =>
  queryOptions({
    queryKey: ["lineage", node],
    queryFn: ({ signal }) =>
      get<LineageGraph>(url(["catalog", "lineage"], { node, depth: 1, direction: "both" }), signal),
  });

/** The file manifest, newest first. */
export const filesQuery = (filter: { feed?: string; state?: string; batch?: string }) =>
  infiniteQueryOptions({
    queryKey: ["files", filter],
    queryFn: ({ pageParam, signal }) =>
      get<FeedFilePage>(url(["catalog", "files"], { ...filter, limit: 100, after: pageParam }), signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
  });

export const insightListQuery = queryOptions({
  queryKey: ["insights"],
  queryFn: ({ signal }) => get<InsightList>(url(["insights"]), signal),
  staleTime: 60_000,
});

/** One insight's rows. `dataset` is in the key, so that a write to it renews the chart. */
export const insightQuery = (name: string, dataset: string) =>
  queryOptions({
    queryKey: ["insight", dataset, name],
    queryFn: ({ signal }) => get<Insight>(url(["insights", name], { limit: 1000 }), signal),
    staleTime: 60_000,
    retry: false,
  });
