/** What people do with services: pause, resume, restart. Rows change; workers see to the rest. */
import { QflowError } from "../../errors.ts";
import type { Sql } from "../database.ts";
import { wakeWith } from "../wake.ts";

/** It ends after the work in hand, and stays ended. Throws NOT_FOUND. */
export async function pauseService(sql: Sql, serviceId: string): Promise<void> {
  await change(sql, serviceId, "paused = true");
}

/** It is started, at once even where it was to wait after failures. Throws NOT_FOUND. */
export async function resumeService(sql: Sql, serviceId: string): Promise<void> {
  await change(sql, serviceId, "paused = false, restart_at = null, failures = 0");
}

/** Its program ends after the work in hand and is started again; one that waits after a failure starts at once. Throws NOT_FOUND. */
export async function restartService(sql: Sql, serviceId: string): Promise<void> {
  await change(sql, serviceId, "restarts_wanted = restarts_wanted + 1, restart_at = null, failures = 0");
}

async function change(sql: Sql, serviceId: string, changes: string): Promise<void> {
  const changed = await sql.query(
    `update service set ${changes}, updated_at = now() where service_id = $1 and active`,
    [serviceId],
  );
  if (changed.rowCount === 0) {
    throw new QflowError("NOT_FOUND", `there is no service ${serviceId}`, {
      remedy: "See `qflow services list`; a service is there while a DAG file declares it.",
    });
  }
  await wakeWith(sql, "qflow_work");
}
