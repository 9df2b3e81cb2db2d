/** What changes something in `/api/v2`: pause, trigger, cancel, clear. Each leaves an audit row in its own transaction. */
import { z } from "zod";
import type { Json } from "../../dag/spec.ts";
import { QflowError } from "../../errors.ts";
import { type AffectedInstance, type ClearRequest, clearTasks, previewClear } from "../../metadata/clear.ts";
import type { Sql } from "../../metadata/database.ts";
import { setRunNote } from "../../metadata/run-note.ts";
import { cancelRun, createRun, pauseDag, unpauseDag } from "../../metadata/runs.ts";
import { getDag } from "../../metadata/views/dag-views.ts";
import { getRun } from "../../metadata/views/run-views.ts";
import { listTaskInstances } from "../../metadata/views/task-views.ts";
import {
  clearRun,
  clearTasks as clearTasksBody,
  dag,
  dagPatch,
  dagRun,
  patchRun,
  type TaskInstanceCollection,
  taskInstanceCollection,
  triggerRun,
} from "../contract.ts";
import { route } from "../route.ts";
import { dagShape, instanceShape, runShape } from "./shape.ts";

const patchDag = route({
  method: "patch",
  path: "/api/v2/dags/:dag_id",
  guard: "user",
  summary: "Pauses or unpauses a DAG.",
  query: z.object({ update_mask: z.string().optional() }),
  body: dagPatch,
  response: dag,
  handle: async ({ api, params, body, mutate }) => {
    const dagId = params.dag_id;
    await mutate({ action: body.is_paused ? "dag.pause" : "dag.unpause", dagId }, (db) =>
      body.is_paused ? pauseDag(db, dagId) : unpauseDag(db, dagId),
    );
    return dagShape(await getDag(api.database, dagId));
  },
});

function dateOf(text: string | null | undefined): Date | null {
  return text ? new Date(text) : null;
}

const trigger = route({
  method: "post",
  path: "/api/v2/dags/:dag_id/dagRuns",
  guard: "user",
  summary: "Makes a run. `conf` is checked against the DAG's params first.",
  body: triggerRun,
  response: dagRun,
  handle: async ({ api, params, body, principal, mutate }) => {
    if (body.data_interval_start || body.data_interval_end) {
      throw new QflowError("NOT_SUPPORTED", "the data interval follows from the logical date and the schedule");
    }
    const dagId = params.dag_id;
    const conf = (body.conf ?? {}) as Json;
    const made = await mutate({ action: "run.trigger", dagId, details: { conf } }, (db) =>
      createRun(db, {
        dagId,
        conf,
        logicalDate: dateOf(body.logical_date),
        runAfter: dateOf(body.run_after),
        note: body.note ?? null,
        by: `user:${principal.name}`,
        ...(body.dag_run_id ? { runId: body.dag_run_id } : {}),
      }),
    );
    return runShape(await getRun(api.database, dagId, made.runId));
  },
});

const patch = route({
  method: "patch",
  path: "/api/v2/dags/:dag_id/dagRuns/:run_id",
  guard: "user",
  summary: "Cancels a run (`failed`), does it again (`queued`), or writes a note on it.",
  query: z.object({ update_mask: z.string().optional() }),
  body: patchRun,
  response: dagRun,
  handle: async ({ api, params, body, mutate }) => {
    const { dag_id: dagId, run_id: runId } = params;
    if (body.state === "success") throw new QflowError("NOT_SUPPORTED", "a run cannot be declared a success");
    await mutate({ action: "run.patch", dagId, runId, details: { ...body } }, async (db) => {
      if (body.note !== undefined) await setRunNote(db, dagId, runId, body.note);
      if (body.state === "failed") await cancelRun(db, dagId, runId);
      if (body.state === "queued") await clearTasks(db, { dagId, runId, relatives: "none" });
    });
    return runShape(await getRun(api.database, dagId, runId));
  },
});

/** Task instances of an answer, as they are now. */
async function collection(
  sql: Sql,
  request: ClearRequest,
  affected: readonly AffectedInstance[],
): Promise<TaskInstanceCollection> {
  const ids = new Set(affected.map((one) => String(one.id)));
  const page = await listTaskInstances(
    sql,
    { dagId: request.dagId, runId: request.runId },
    { limit: 10_000, offset: 0, orderBy: [] },
  );
  const rows = page.rows.filter((row) => ids.has(row.id));
  return { task_instances: rows.map(instanceShape), total_entries: affected.length };
}

const FAILED_STATES = ["failed", "upstream_failed"] as const;

const clearWhole = route({
  method: "post",
  path: "/api/v2/dags/:dag_id/dagRuns/:run_id/clear",
  guard: "user",
  summary:
    "Does the task instances of a run again and answers with the run; a dry run (the default) lists the instances.",
  body: clearRun,
  response: z.union([taskInstanceCollection, dagRun]),
  handle: async ({ api, params, body, mutate }) => {
    const { dag_id: dagId, run_id: runId } = params;
    const request: ClearRequest = body.only_failed
      ? { dagId, runId, states: FAILED_STATES, relatives: "downstream" }
      : { dagId, runId, relatives: "none" };
    if (body.dry_run) return collection(api.database, request, await previewClear(api.database, request));
    await mutate({ action: "run.clear", dagId, runId, details: { ...body } }, (db) => clearTasks(db, request));
    return runShape(await getRun(api.database, dagId, runId));
  },
});

function relativesOf(body: {
  include_upstream: boolean;
  include_downstream: boolean;
}): NonNullable<ClearRequest["relatives"]> {
  if (body.include_upstream) return body.include_downstream ? "both" : "upstream";
  return body.include_downstream ? "downstream" : "none";
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
    const chosen = (body.task_ids ?? []).map((one) => (typeof one === "string" ? ([one, null] as const) : one));
    const indexes = chosen.flatMap(([, index]) => (index === null ? [] : [index]));
    if (indexes.length > 0 && (indexes.length !== chosen.length || new Set(chosen.map(([id]) => id)).size > 1)) {
      throw new QflowError("NOT_SUPPORTED", "map indexes can be chosen of one task at a time");
    }
    const request: ClearRequest = {
      dagId,
      runId: body.dag_run_id,
      relatives: relativesOf(body),
      ...(body.task_ids ? { taskIds: [...new Set(chosen.map(([id]) => id))] } : {}),
      ...(indexes.length > 0 ? { mapIndexes: indexes } : {}),
      ...(body.only_failed ? { states: FAILED_STATES } : {}),
    };
    const entry = { action: "tasks.clear", dagId, runId: body.dag_run_id, details: { ...body } };
    const affected = body.dry_run
      ? await previewClear(api.database, request)
      : await mutate(entry, (db) => clearTasks(db, request));
    return collection(api.database, request, affected);
  },
});

/** Changing things. */
export const actionRoutes = [patchDag, trigger, patch, clearWhole, clearSome];
