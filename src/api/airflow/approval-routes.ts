/** `…/hitlDetails` of `/api/v2`: what tasks ask people, and their answers. */
import { z } from "zod";
import { type ApprovalRow, answerApproval, getApproval, listApprovals } from "../../metadata/approvals.ts";
import type { Sql } from "../../metadata/database.ts";
import { getTaskInstance } from "../../metadata/views/task-views.ts";
import { type HitlDetail, hitlAnswer, hitlAnswered, hitlDetail, hitlDetailCollection } from "../contract.ts";
import { route } from "../route.ts";
import { sliceOf, slicing } from "./list-query.ts";
import { idOrAll } from "./run-routes.ts";
import { instanceShape, iso, isoOrNull } from "./shape.ts";
import { instanceKey } from "./task-routes.ts";

const RUN = "/api/v2/dags/:dag_id/dagRuns/:run_id";
const ONE = `${RUN}/taskInstances/:task_id/:map_index/hitlDetails` as const;

/** Names of answers: Airflow's on the wire. */
const OPTION = { approve: "Approve", reject: "Reject" } as const;
const CHOICE = { Approve: "approve", Reject: "reject" } as const;

async function shapeOf(sql: Sql, row: ApprovalRow): Promise<HitlDetail> {
  const { dag_id: dagId, run_id: runId, task_id: taskId, map_index: mapIndex } = row;
  const instance = await getTaskInstance(sql, { dagId, runId, taskId, mapIndex });
  return {
    task_instance: instanceShape(instance),
    options: ["Approve", "Reject"],
    subject: row.subject,
    body: row.body === "" ? null : row.body,
    defaults: null,
    multiple: false,
    params: {},
    assigned_users: [],
    created_at: iso(row.asked_at),
    responded_by_user: personOf(row.answered_by),
    responded_at: isoOrNull(row.answered_at),
    chosen_options: row.chosen && [OPTION[row.chosen]],
    params_input: {},
    response_received: row.chosen !== null,
    role: row.role === "admin" ? "admin" : "user",
    waiting: row.waiting,
    note: row.note,
  };
}

function personOf(name: string | null): { id: string; name: string } | null {
  return name === null ? null : { id: name, name };
}

const list = route({
  method: "get",
  path: `${RUN}/hitlDetails`,
  guard: "viewer",
  summary: "What tasks of a run ask people, the latest first; `~` for a DAG or a run means all.",
  query: z.object({
    ...slicing({}),
    task_id: z.string().optional(),
    map_index: z.coerce.number().int().min(-1).optional(),
    /** `false` = an answer is still wanted. */
    response_received: z.enum(["true", "false"]).optional(),
  }),
  response: hitlDetailCollection,
  handle: async ({ api, params, query }) => {
    const received = query.response_received;
    const filter = {
      dagId: idOrAll(params.dag_id),
      runId: idOrAll(params.run_id),
      taskId: query.task_id,
      mapIndex: query.map_index,
      waiting: received === undefined ? undefined : received === "true" ? ("no" as const) : ("yes" as const),
    };
    const page = await listApprovals(api.database, filter, sliceOf(query));
    const details = await Promise.all(page.rows.map((row) => shapeOf(api.database, row)));
    return { hitl_details: details, total_entries: page.total };
  },
});

const get = route({
  method: "get",
  path: ONE,
  guard: "viewer",
  summary: "What a task asks people, and the answer.",
  response: hitlDetail,
  handle: async ({ api, params }) =>
    shapeOf(api.database, await getApproval(api.database, instanceKey(params, params.map_index))),
});

const answer = route({
  method: "patch",
  path: ONE,
  guard: "user",
  summary: "Approves or rejects; the first answer counts. Who may answer is the task's to say.",
  body: hitlAnswer,
  response: hitlAnswered,
  handle: async ({ api, params, body, principal, mutate }) => {
    const key = instanceKey(params, params.map_index);
    const [option = "Reject"] = body.chosen_options;
    const chosen = CHOICE[option];
    const { dagId, runId, taskId } = key;
    const note = body.note ?? null;
    const entry = { action: `approval.${chosen}`, dagId, runId, taskId, details: { mapIndex: key.mapIndex, note } };
    await mutate(entry, (db) => answerApproval(db, key, { chosen, by: principal.name, role: principal.role, note }));
    const row = await getApproval(api.database, key);
    return {
      responded_by: personOf(principal.name),
      responded_at: isoOrNull(row.answered_at),
      chosen_options: [option],
      params_input: {},
    };
  },
});

/** What people are asked. */
export const approvalRoutes = [list, get, answer];
