/** What people write on a run. */
import type { Sql } from "./database.ts";
import { runKey } from "./runs.ts";

/** Sets or (null) removes the note of a run. Throws NOT_FOUND. */
export async function setRunNote(sql: Sql, dagId: string, runId: string, note: string | null): Promise<void> {
  const id = await runKey(sql, dagId, runId);
  await sql.query("update dag_run set note = $2 where id = $1", [id, note]);
}
