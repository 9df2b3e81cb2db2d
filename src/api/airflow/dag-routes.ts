/** `/api/v2/dags`, versions, sources, tasks, import errors. */
import { z } from "zod";
import { QflowError } from "../../errors.ts";
import {
  countActiveRuns,
  DAG_ORDER,
  type DagRow,
  type DagSpecRow,
  getDag,
  getDagVersion,
  listDags,
  listDagVersions,
  listImportErrors,
} from "../../metadata/views/dag-views.ts";
import {
  type DagDetails,
  dag,
  dagCollection,
  dagDetails,
  dagSource,
  dagVersion,
  dagVersionCollection,
  importErrorCollection,
  task,
  taskCollection,
} from "../contract.ts";
import { route } from "../route.ts";
import { flag, many, sliceOf, slicing } from "./list-query.ts";
import { dagShape, iso, taskShape, versionShape } from "./shape.ts";

const list = route({
  method: "get",
  path: "/api/v2/dags",
  guard: "viewer",
  summary: "Lists DAGs with their latest runs.",
  query: z.object({
    ...slicing(DAG_ORDER),
    dag_id_pattern: z.string().max(250).optional(),
    dag_display_name_pattern: z.string().max(250).optional(),
    paused: flag.optional(),
    exclude_stale: flag.default(true),
    tags: many.optional(),
    last_dag_run_state: z.string().optional(),
  }),
  response: dagCollection,
  handle: async ({ api, query }) => {
    const search = (query.dag_id_pattern ?? query.dag_display_name_pattern)?.replace(/^%|%$/g, "");
    const page = await listDags(
      api.database,
      {
        search,
        paused: query.paused,
        tags: query.tags,
        active: query.exclude_stale ? true : undefined,
        lastRunState: query.last_dag_run_state,
      },
      sliceOf(query),
    );
    return { dags: page.rows.map(dagShape), total_entries: page.total };
  },
});

const get = route({
  method: "get",
  path: "/api/v2/dags/:dag_id",
  guard: "viewer",
  summary: "One DAG.",
  response: dag,
  handle: async ({ api, params }) => dagShape(await getDag(api.database, params.dag_id)),
});

const details = route({
  method: "get",
  path: "/api/v2/dags/:dag_id/details",
  guard: "viewer",
  summary: "One DAG with everything its newest version declares.",
  response: dagDetails,
  handle: async ({ api, params }) => {
    const row = await getDag(api.database, params.dag_id);
    const version = await getDagVersion(api.database, params.dag_id, null);
    return detailsShape(row, version, await countActiveRuns(api.database, params.dag_id));
  },
});

function detailsShape(row: DagRow, version: DagSpecRow, activeRuns: number): DagDetails {
  const { spec } = version;
  return {
    ...dagShape(row),
    catchup: spec.catchup !== "none",
    dag_run_timeout: null,
    asset_expression: spec.schedule?.kind === "datasets" ? spec.schedule.condition : null,
    doc_md: spec.doc,
    start_date: spec.start,
    end_date: spec.end,
    is_paused_upon_creation: null,
    params: spec.params,
    render_template_as_native_obj: false,
    template_search_path: null,
    timezone: spec.schedule && "timezone" in spec.schedule ? spec.schedule.timezone : "UTC",
    last_parsed: iso(row.updated_at),
    default_args: null,
    owner_links: null,
    is_favorite: false,
    active_runs_count: activeRuns,
    concurrency: spec.maxActiveTasks,
    latest_dag_version: versionShape(version),
  };
}

const versions = route({
  method: "get",
  path: "/api/v2/dags/:dag_id/dagVersions",
  guard: "viewer",
  summary: "Versions of a DAG, newest first.",
  query: z.object(slicing({ version_number: "number", created_at: "created_at" })),
  response: dagVersionCollection,
  handle: async ({ api, params, query }) => {
    const page = await listDagVersions(api.database, params.dag_id, sliceOf(query, ["-version_number"]));
    return { dag_versions: page.rows.map(versionShape), total_entries: page.total };
  },
});

const versionNumber = z.coerce.number().int().min(1);

const version = route({
  method: "get",
  path: "/api/v2/dags/:dag_id/dagVersions/:version_number",
  guard: "viewer",
  summary: "One version of a DAG.",
  response: dagVersion,
  handle: async ({ api, params }) => {
    const number = versionNumber.safeParse(params.version_number);
    if (!number.success) throw new QflowError("NOT_FOUND", "a version is a number");
    return versionShape(await getDagVersion(api.database, params.dag_id, number.data));
  },
});

const source = route({
  method: "get",
  path: "/api/v2/dagSources/:dag_id",
  guard: "viewer",
  summary: "Source of a DAG's file as it was when a version was made.",
  query: z.object({ version_number: versionNumber.optional() }),
  response: dagSource,
  handle: async ({ api, params, query }) => {
    const row = await getDagVersion(api.database, params.dag_id, query.version_number ?? null);
    return { content: row.source, version_number: row.number, dag_id: row.dag_id, dag_display_name: row.dag_id };
  },
});

const tasks = route({
  method: "get",
  path: "/api/v2/dags/:dag_id/tasks",
  guard: "viewer",
  summary: "Tasks of a DAG; of the newest version unless one is named.",
  query: z.object({ version_number: versionNumber.optional(), order_by: z.string().optional() }),
  response: taskCollection,
  handle: async ({ api, params, query }) => {
    const { spec } = await getDagVersion(api.database, params.dag_id, query.version_number ?? null);
    return { tasks: spec.tasks.map((one) => taskShape(spec, one)), total_entries: spec.tasks.length };
  },
});

const oneTask = route({
  method: "get",
  path: "/api/v2/dags/:dag_id/tasks/:task_id",
  guard: "viewer",
  summary: "One task of a DAG's newest version.",
  response: task,
  handle: async ({ api, params }) => {
    const { spec } = await getDagVersion(api.database, params.dag_id, null);
    const found = spec.tasks.find((one) => one.taskId === params.task_id);
    if (!found) throw new QflowError("NOT_FOUND", `Task with id \`${params.task_id}\` was not found`);
    return taskShape(spec, found);
  },
});

const importErrors = route({
  method: "get",
  path: "/api/v2/importErrors",
  guard: "viewer",
  summary: "DAG files that could not be loaded.",
  query: z.object(slicing({ timestamp: "at", filename: "file" })),
  response: importErrorCollection,
  handle: async ({ api, query }) => {
    const page = await listImportErrors(api.database, sliceOf(query));
    const entries = page.rows.map((row) => ({
      import_error_id: row.id,
      timestamp: iso(row.at),
      filename: row.file,
      bundle_name: "dags",
      stack_trace: `${row.code}: ${row.message}${row.line === null ? "" : ` (line ${row.line})`}\n${row.remedy}`,
    }));
    return { import_errors: entries, total_entries: page.total };
  },
});

/** Reading DAGs. */
export const dagRoutes = [list, get, details, versions, version, source, tasks, oneTask, importErrors];
