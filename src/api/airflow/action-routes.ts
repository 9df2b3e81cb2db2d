/** What changes DAGs and runs in `/api/v2`: pause, trigger, mark, clear. Each leaves an audit row in its own transaction. */
import { z } from "zod";
import type { Json } from "../../dag/spec.ts";
import { QflowError } from "../../errors.ts";
import { type ClearRequest, clearTasks, previewClear } from "../../metadata/clear.ts";
import { markRun } from "../../metadata/mark.ts";
import { setRunNote } from "../../metadata/notes.ts";
import { createRun, pauseDag, unpauseDag } from "../../metadata/runs.ts";
import { getDag } from "../../metadata/views/dag-views.ts";
import { getRun } from "../../metadata/views/run-views.ts";
import { clearRun, dag, dagPatch, dagRun, patchRun, taskInstanceCollection, triggerRun } from "../contract.ts";
import { route } from "../route.ts";
import { dagShape, runShape } from "./shape.ts";
import { affectedCollection, FAILED_STATES } from "./task-action-routes.ts";

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
        partition: body.partition_key ?? null,
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
  summary:
    "Marks a run `success` or `failed` (one that goes on is cancelled), does it again (`queued`), or writes a note on it.",
  query: z.object({ update_mask: z.string().optional() }),
  body: patchRun,
  response: dagRun,
  handle: async ({ api, params, body, mutate }) => {
    const { dag_id: dagId, run_id: runId } = params;
    await mutate({ action: "run.patch", dagId, runId, details: { ...body } }, async (db) => {
      if (body.note !== undefined) await setRunNote(db, dagId, runId, body.note);
      if (body.state === "queued") await clearTasks(db, { dagId, runId, relatives: "none" });
      else if (body.state) await markRun(db, { dagId, runId }, body.state);
    });
    return runShape(await getRun(api.database, dagId, runId));
  },
});

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
    const request: ClearRequest = {
      dagId,
      runId,
      unended: "cancel",
      version: body.run_on_latest_version || body.only_new ? "latest" : "pinned",
      only: body.only_new ? "nothing" : "chosen",
      ...(body.only_failed ? { states: FAILED_STATES, relatives: "downstream" } : { relatives: "none" }),
    };
    if (body.dry_run) return affectedCollection(api.database, request, await previewClear(api.database, request));
    await mutate({ action: "run.clear", dagId, runId, details: { ...body } }, (db) => clearTasks(db, request));
    return runShape(await getRun(api.database, dagId, runId));
  },
});

/** Changing DAGs and runs. */
export const actionRoutes = [patchDag, trigger, patch, clearWhole];
