/** What people write on runs and task instances. */
import { QflowError } from "../errors.ts";
import type { Sql } from "./database.ts";
import { runKey } from "./runs.ts";
import type { InstanceKey } from "./views/task-views.ts";

/** Sets or (null) removes the note of a run. Throws NOT_FOUND. */
export async function setRunNote(sql: Sql, dagId: string, runId: string, note: string | null): Promise<void> {
  const id = await runKey(sql, dagId, runId);
  await sql.query("update dag_run set note = $2 where id = $1", [id, note]);
}

/** Sets or (null) removes the note of a task instance. Throws NOT_FOUND. */
export async function setTaskNote(sql: Sql, key: InstanceKey, note: string | null): Promise<void> {
  const id = await runKey(sql, key.dagId, key.runId);
  const done = await sql.query(
    "update task_instance set note = $4 where dag_run_id = $1 and task_id = $2 and map_index = $3",
    [id, key.taskId, key.mapIndex, note],
  );
  if (done.rowCount === 0) {
    throw new QflowError("NOT_FOUND", `run ${key.runId} of DAG ${key.dagId} has no task instance ${key.taskId}`);
  }
}
