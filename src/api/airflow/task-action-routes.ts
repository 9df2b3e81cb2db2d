/** What changes task instances in `/api/v2`: clear, mark, note. Each leaves an audit row in its own transaction. */
import { z } from "zod";
import { QflowError } from "../../errors.ts";
import type { AffectedInstance, Relatives, TaskPick } from "../../metadata/affected.ts";
import { type ClearReport, type ClearRequest, clearTasks, previewClear } from "../../metadata/clear.ts";
import type { Sql } from "../../metadata/database.ts";
import { type MarkRequest, markTasks, previewMark } from "../../metadata/mark.ts";
import { setTaskNote } from "../../metadata/notes.ts";
import type { TaskState } from "../../metadata/task-states.ts";
import { type InstanceKey, listTaskInstances } from "../../metadata/views/task-views.ts";
import {
  clearTasks as clearTasksBody,
  patchTask,
  type TaskInstanceCollection,
  taskInstanceCollection,
} from "../contract.ts";
import { type Call, route } from "../route.ts";
import { instanceShape } from "./shape.ts";
import { instanceKey } from "./task-routes.ts";

/** What `only_failed` narrows to. */
export const FAILED_STATES: readonly TaskState[] = ["failed", "upstream_failed"];

/** The answer that lists what an action concerns, as the instances are now. */
export async function affectedCollection(
  sql: Sql,
  run: { readonly dagId: string; readonly runId: string },
  { affected, diff }: ClearReport,
): Promise<TaskInstanceCollection> {
  const ids = new Set(affected.map((one) => String(one.id)));
  const page = await listTaskInstances(
    sql,
    { dagId: run.dagId, runId: run.runId },
    { limit: 100_000, offset: 0, orderBy: [] },
  );
  const rows = page.rows.filter((row) => ids.has(row.id));
  const change = diff && { ...diff, added: [...diff.added], removed: [...diff.removed], changed: [...diff.changed] };
  return {
    task_instances: rows.map(instanceShape),
    total_entries: affected.length,
    ...(change ? { version_change: change } : {}),
  };
}

function relativesOf(body: { include_upstream: boolean; include_downstream: boolean }): Relatives {
  if (body.include_upstream) return body.include_downstream ? "both" : "upstream";
  return body.include_downstream ? "downstream" : "none";
}

function clearRequest(dagId: string, body: z.output<typeof clearTasksBody>): ClearRequest {
  const tasks = body.task_ids?.map(
    (one): TaskPick => (typeof one === "string" ? { taskId: one } : { taskId: one[0], mapIndex: one[1] }),
  );
  const states = [...(body.only_failed ? FAILED_STATES : []), ...(body.only_running ? (["running"] as const) : [])];
  return {
    dagId,
    runId: body.dag_run_id,
    relatives: relativesOf(body),
    unended: body.prevent_running_task ? "refuse" : "cancel",
    version: body.run_on_latest_version ? "latest" : "pinned",
    ...(tasks ? { tasks } : {}),
    ...(states.length > 0 ? { states } : {}),
  };
}

const clearSome = route({
  method: "post",
  path: "/api/v2/dags/:dag_id/clearTaskInstances",
  guard: "user",
  summary: "Does chosen task instances of a run again; a dry run (the default) only lists them.",
  body: clearTasksBody,
  response: taskInstanceCollection,
  handle: async ({ api, params, body, mutate }) => {
    const dagId = params.dag_id;
    const request = clearRequest(dagId, body);
    const entry = { action: "tasks.clear", dagId, runId: body.dag_run_id, details: { ...body } };
    const report = body.dry_run
      ? await previewClear(api.database, request)
      : await mutate(entry, (db) => clearTasks(db, request));
    return affectedCollection(api.database, request, report);
  },
});

type PatchCall = Pick<Call<unknown, unknown, z.output<typeof patchTask>>, "api" | "body" | "mutate">;

function markRequest(key: InstanceKey, body: z.output<typeof patchTask>): MarkRequest {
  if (!body.new_state) throw new QflowError("REQUEST_INVALID", "body.new_state: say success, failed or skipped");
  const task = key.mapIndex < 0 ? { taskId: key.taskId } : { taskId: key.taskId, mapIndex: key.mapIndex };
  return { dagId: key.dagId, runId: key.runId, tasks: [task], relatives: relativesOf(body), state: body.new_state };
}

async function patchInstance({ api, body, mutate }: PatchCall, key: InstanceKey): Promise<TaskInstanceCollection> {
  const { dagId, runId, taskId } = key;
  const entry = { action: "task.patch", dagId, runId, taskId, details: { ...body, map_index: key.mapIndex } };
  const marked = await mutate(entry, async (db) => {
    if (body.note !== undefined) await setTaskNote(db, key, body.note);
    return body.new_state ? markTasks(db, markRequest(key, body)) : [];
  });
  return listed(api.database, key, marked);
}

/** The instances an action concerned; where it was only the note, the instance itself. */
async function listed(
  sql: Sql,
  key: InstanceKey,
  affected: readonly AffectedInstance[],
): Promise<TaskInstanceCollection> {
  if (affected.length > 0) return affectedCollection(sql, key, { affected, diff: null });
  const page = await listTaskInstances(sql, key, { limit: 1, offset: 0, orderBy: [] });
  return { task_instances: page.rows.map(instanceShape), total_entries: page.total };
}

async function dryPatch({ api, body }: PatchCall, key: InstanceKey): Promise<TaskInstanceCollection> {
  const affected = await previewMark(api.database, markRequest(key, body));
  return affectedCollection(api.database, key, { affected, diff: null });
}

const ONE = "/api/v2/dags/:dag_id/dagRuns/:run_id/taskInstances/:task_id";
const maskQuery = z.object({ update_mask: z.string().optional() });

const markDry = route({
  method: "patch",
  path: `${ONE}/dry_run`,
  guard: "user",
  summary: "Lists what marking a task would change.",
  query: maskQuery,
  body: patchTask,
  response: taskInstanceCollection,
  handle: (call) => dryPatch(call, instanceKey(call.params, -1)),
});

const markMappedDry = route({
  method: "patch",
  path: `${ONE}/:map_index/dry_run`,
  guard: "user",
  summary: "Lists what marking a mapped instance would change.",
  query: maskQuery,
  body: patchTask,
  response: taskInstanceCollection,
  handle: (call) => dryPatch(call, instanceKey(call.params, call.params.map_index)),
});

const mark = route({
  method: "patch",
  path: ONE,
  guard: "user",
  summary:
    "Declares that a task (of a mapped one: every instance) ended success, failed or skipped, or writes a note on it.",
  query: maskQuery,
  body: patchTask,
  response: taskInstanceCollection,
  handle: (call) => patchInstance(call, instanceKey(call.params, -1)),
});

const markMapped = route({
  method: "patch",
  path: `${ONE}/:map_index`,
  guard: "user",
  summary: "Declares how one mapped instance ended, or writes a note on it.",
  query: maskQuery,
  body: patchTask,
  response: taskInstanceCollection,
  handle: (call) => patchInstance(call, instanceKey(call.params, call.params.map_index)),
});

/** Changing task instances. The longer paths come before the ones whose parameter would swallow them. */
export const taskActionRoutes = [clearSome, markMappedDry, markDry, mark, markMapped];
