/** Where a Spark application can be found again by the next attempt, and how that one makes sure it is gone. */
import { z } from "zod";
import { QflowError } from "../../errors.ts";
import { endGroup } from "../../processes/ending.ts";
import { ATTEMPT_MARKER } from "../../processes/markers.ts";
import { isAlive, type ProcessIdentity } from "../../processes/table.ts";
import type { OperatorContext } from "../run.ts";
import type { SparkJob } from "./job.ts";

const schema = z.object({
  kind: z.literal("spark"),
  session: z.enum(["own", "warm", "yarn"]),
  token: z.string(),
  name: z.string(),
  process: z.object({ pid: z.number(), startedAt: z.string() }).nullable(),
  applicationId: z.string().nullable(),
  /** Whether the attempt has seen the end of it. */
  over: z.boolean().default(false),
});

/** What is saved under an attempt's token. */
export type SparkHandle = z.infer<typeof schema>;

const TERM_GRACE_MS = 5_000;

/** The handle of a job; `process` null = about to be submitted. */
export function handleOf(
  job: SparkJob,
  where: { session: SparkHandle["session"]; process: ProcessIdentity | null; applicationId: string | null },
): SparkHandle {
  return {
    kind: "spark",
    session: where.session,
    token: job.token,
    name: job.name,
    process: where.process === null ? null : { ...where.process },
    applicationId: where.applicationId,
    over: false,
  };
}

/** What an earlier attempt of this task has saved, or null. */
export function previousOf(context: Pick<OperatorContext, "previousHandle">): SparkHandle | null {
  return schema.safeParse(context.previousHandle).data ?? null;
}

/**
 * Ends what an earlier attempt of this task left running, and returns only when it is gone. `isIdleDriver` tells a warm driver that has
 * long gone on to other work and must not be ended. Throws SPARK_NOT_GONE.
 */
export async function endPrevious(
  context: OperatorContext,
  isOwned: (driver: ProcessIdentity) => boolean,
): Promise<void> {
  const previous = previousOf(context);
  if (previous === null) return;
  const { session, process, token, name } = previous;
  // A warm driver of ours ended that job, or itself, when the attempt was stopped.
  if (session === "warm" && process !== null && isOwned(process)) return;
  const alive = process !== null && (await isAlive(process));
  if (alive) context.log.warn(`an earlier attempt's Spark application still runs and is ended: ${name}`);
  const left = await endGroup(process, { name: ATTEMPT_MARKER, value: token }, TERM_GRACE_MS);
  if (left.length === 0) return;
  throw new QflowError(
    "SPARK_NOT_GONE",
    `${name} of an earlier attempt does not end: ${left.map((one) => one.pid).join(", ")}`,
  );
}
