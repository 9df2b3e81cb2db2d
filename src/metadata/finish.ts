/** The hot call of a worker: record outcomes, claim the next batch; one round trip, one commit. */
import { randomUUID } from "node:crypto";
import { type ClaimedRow, claimedTask, type Upstream } from "./claimed-task.ts";
import type { Database } from "./database.ts";
import { countIfPossible } from "./metrics.ts";
import { withRetry } from "./transient.ts";
import { wakeSoon } from "./wake.ts";
import type { AttemptOutcome, Capacity, ClaimedTask, FinishReply } from "./work-types.ts";

const TRIES = 5;

interface ReplyRow {
  readonly accepted: readonly string[];
  readonly claimed: readonly ClaimedRow[];
  readonly surplus: boolean;
  readonly closed: number;
  readonly events: number;
  readonly secrets: number | null;
}

/** Identity of one claim: a caller whose call threw repeats it with the same id, so that what it claimed is not lost. */
export interface ClaimIdentity {
  readonly claimId: string;
  /** Whether an earlier call carried the same id. */
  readonly repeated: boolean;
}

/**
 * Records how attempts ended, with everything that follows for their runs, and claims as many queued instances as `capacity`
 * allows. A call whose answer was lost is repeated under the same id: nothing is recorded or claimed twice. An outcome whose
 * token is not the attempt's any more changes nothing and comes back in `fenced`. Throws what the database throws when that
 * does not pass within five tries; nothing is lost then by calling again with the same outcomes.
 */
export async function finishAndClaim(
  database: Database,
  workerId: string,
  outcomes: readonly AttemptOutcome[],
  capacity: Capacity,
  claim: ClaimIdentity = { claimId: randomUUID(), repeated: false },
): Promise<FinishReply> {
  const payload = JSON.stringify(outcomes.map(storable));
  const reply = await withRetry(
    async (attempt) => {
      const values = [
        workerId,
        payload,
        capacity.functions,
        capacity.operators,
        claim.claimId,
        claim.repeated || attempt > 0,
      ];
      const result = await database.query<{ reply: ReplyRow }>(
        "select finish_and_claim($1, $2, $3, $4, $5, $6) as reply",
        values,
        "finish_and_claim",
      );
      return result.rows[0]?.reply as ReplyRow;
    },
    { tries: TRIES },
  );
  if (reply.surplus) wakeSoon(database, "qflow_work");
  if (reply.closed > 0 || reply.events > 0) wakeSoon(database, "qflow_scheduler");
  const accepted = new Set(reply.accepted);
  const fenced = outcomes.map((outcome) => outcome.attemptId).filter((id) => !accepted.has(id));
  if (fenced.length > 0) await countIfPossible(database, "fenced_writes", fenced.length);
  return {
    accepted,
    fenced,
    claimed: await Promise.all(reply.claimed.map((row) => withValues(database, row))),
    secretsVersion: reply.secrets ?? 0,
  };
}

/** Large values are asked for on their own. */
async function withValues(database: Database, row: ClaimedRow): Promise<ClaimedTask> {
  if (row.upstream !== null) return claimedTask(row);
  const found = await database.query<{ upstream: Upstream | null }>(
    `select upstream_values(t, d) as upstream from task_instance t
     join task_def d on d.version_id = t.version_id and d.task_index = t.task_index where t.id = $1`,
    [row.taskInstanceId],
  );
  return claimedTask(row, found.rows[0]?.upstream ?? null);
}

/** NUL and lone surrogates, which JSON can write and PostgreSQL's jsonb cannot hold. */
const UNSTORABLE = /(?<=(?<!\\)(?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/i;

/** The outcome as jsonb can hold it: a value that it cannot hold fails the task, text is cleaned. */
export function storable(outcome: AttemptOutcome): AttemptOutcome {
  const text = JSON.stringify(outcome);
  if (!UNSTORABLE.test(text)) return outcome;
  if (outcome.state !== "success")
    return JSON.parse(text.replaceAll(new RegExp(UNSTORABLE, "gi"), "\\ufffd")) as AttemptOutcome;
  const { attemptId, token } = outcome;
  const error = {
    code: "TASK_FAILED",
    message: "the task returned or emitted text with a NUL character or half a surrogate pair, which cannot be stored",
    remedy: "Return clean text, or bytes encoded as base64.",
  };
  return { attemptId, token, state: "failed", error, retry: "fatal" };
}
