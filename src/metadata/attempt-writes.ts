/** What an attempt writes while it runs. Every write carries its token; an old one changes nothing and throws FENCED. */

import type { Json } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";
import type { Sql } from "./database.ts";
import { countIfPossible } from "./metrics.ts";

/** An attempt as it identifies itself. */
export interface AttemptIdentity {
  readonly attemptId: string;
  readonly token: string;
}

/** Least rest of a lease, in seconds, with which an attempt may publish. */
export const PUBLISH_MARGIN_SECONDS = 4;

/** Keeps where the outside work of an attempt can be found again. Throws FENCED. */
export async function saveHandle(sql: Sql, attempt: AttemptIdentity, handle: Json): Promise<void> {
  await guarded(sql, attempt, "update task_attempt set handle = $3", [JSON.stringify(handle)]);
}

/** Shows how far an attempt is; `total` null = unknown. Throws FENCED. */
export async function saveProgress(
  sql: Sql,
  attempt: AttemptIdentity,
  progress: { step: string; done: number; total: number | null },
): Promise<void> {
  await guarded(sql, attempt, "update task_attempt set progress = $3", [JSON.stringify(progress)]);
}

async function guarded(sql: Sql, attempt: AttemptIdentity, update: string, values: unknown[]): Promise<void> {
  // guard: write-token, write-state
  const result = await sql.query(`${update} where attempt_id = $1 and token = $2 and state = 'running'`, [
    attempt.attemptId,
    attempt.token,
    ...values,
  ]);
  if (result.rowCount === 0) throw await fenced(sql, attempt);
}

/**
 * Asks right before a publication whether the attempt still owns its task, is not to be ended, and its worker's lease lasts
 * at least 4 s more. Throws FENCED.
 */
export async function publishPermit(sql: Sql, attempt: AttemptIdentity): Promise<void> {
  const result = await sql.query(
    // guard: permit-token, permit-state, permit-revoked
    // guard: permit-session, permit-lease
    `select from task_attempt a join worker w using (worker_id)
     where a.attempt_id = $1 and a.token = $2 and a.state = 'running' and a.revoked is null
       and w.state in ('active', 'draining') and w.lease_expires_at > now() + make_interval(secs => $3)`,
    [attempt.attemptId, attempt.token, PUBLISH_MARGIN_SECONDS],
  );
  if (result.rowCount === 0) throw await fenced(sql, attempt);
}

async function fenced(sql: Sql, attempt: AttemptIdentity): Promise<QflowError> {
  await countIfPossible(sql, "fenced_writes", 1);
  return new QflowError("FENCED", `attempt ${attempt.attemptId} does not own its task any more`);
}
