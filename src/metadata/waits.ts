/** Waits that hold no process: what the scheduler is given to check, and what it says about it. State is kept by functions/waits.sql. */
import type { Json, SensorSpec } from "../dag/spec.ts";
import type { TokenValues } from "../dag/tokens.ts";
import { type UpstreamRow, valueFrom } from "./claimed-task.ts";
import type { Database, Sql } from "./database.ts";
import { storable } from "./finish.ts";
import { withRetry } from "./transient.ts";
import { wakeSoon } from "./wake.ts";
import type { AttemptOutcome } from "./work-types.ts";

/** Longest time a check may take before another scheduler may make it, in seconds. */
export const LEASE_SECONDS = 60;
/** Instances handled in one statement. */
const BATCH = 500;
const TRIES = 5;

/** What a condition is made from when a wait begins. */
export interface WaitGiven {
  /** The sensor's config as declared. */
  readonly config: Json;
  readonly values: TokenValues;
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly taskInstanceId: number;
  readonly attemptId: string;
  readonly logicalDate: Date | null;
  readonly interval: { readonly start: Date; readonly end: Date } | null;
  readonly runCreatedAt: Date;
}

/** One wait that this scheduler is to look at. */
export interface LeasedWait {
  readonly taskInstanceId: number;
  readonly attemptId: string;
  readonly token: string;
  readonly lease: string;
  /** Name of the sensor. */
  readonly kind: string;
  /** What is waited for; null = it is still to be made, from `given`. */
  readonly condition: Json;
  readonly key: string | null;
  readonly resource: string | null;
  readonly polls: number;
  /** What the check before this one saw. */
  readonly note: string | null;
  readonly logLines: number;
  /** Whether its deadline has passed: this check is the last. */
  readonly late: boolean;
  /** The database's clock. */
  readonly at: Date;
  readonly waitedMs: number;
  readonly timeoutMs: number;
  readonly sensor: SensorSpec;
  readonly emits: readonly string[];
  readonly given: WaitGiven | null;
}

/** What a wait is given back with when it is not met. */
export interface RearmedWait {
  readonly taskInstanceId: number;
  readonly lease: string;
  readonly condition: Json;
  readonly key: string | null;
  readonly resource: string | null;
  /** Milliseconds until the next check, or when it is; both null = at the deadline, or when something wakes it. */
  readonly wakeInMs: number | null;
  readonly wakeAt: Date | null;
  readonly note: string | null;
  readonly logLines: number;
  /** Whether the condition was looked at. */
  readonly checked: boolean;
}

/** How an attempt that waits ends. */
export type WaitOutcome = Exclude<AttemptOutcome, { readonly state: "up_for_reschedule" }>;

/** Lets queued sensors that need no worker begin to wait; several schedulers share them. Returns how many did. */
export async function admitWaits(sql: Sql): Promise<number> {
  const result = await sql.query<{ n: number }>("select admit_waits($1) as n", [BATCH]);
  return result.rows[0]?.n ?? 0;
}

interface GivenRow extends Omit<WaitGiven, "values" | "logicalDate" | "interval" | "runCreatedAt"> {
  readonly params: Json;
  readonly logicalDate: string | null;
  readonly intervalStart: string | null;
  readonly intervalEnd: string | null;
  readonly partition: string | null;
  readonly runCreatedAt: string;
  /** Null where the values are larger than a task may read. */
  readonly upstream: Readonly<Record<string, UpstreamRow>> | null;
}

/**
 * Takes up to `limit` due waits for {@link LEASE_SECONDS}. Of one resource (a server, the file system) at most `share` are being
 * checked at once; `busy` says how many of each are.
 */
export async function leaseWaits(
  sql: Sql,
  limit: number,
  { share, busy }: { share: number; busy: ReadonlyMap<string, number> },
): Promise<LeasedWait[]> {
  const result = await sql.query<{ waits: (Omit<LeasedWait, "given"> & { given: GivenRow | null })[] }>(
    "select lease_waits($1, $2, $3, $4) as waits",
    [limit, share, JSON.stringify(Object.fromEntries(busy)), LEASE_SECONDS],
  );
  const waits = result.rows[0]?.waits ?? [];
  return waits.map((wait) => ({ ...wait, at: new Date(wait.at), given: wait.given && givenOf(wait, wait.given) }));
}

function givenOf(wait: { taskInstanceId: number; attemptId: string }, row: GivenRow): WaitGiven {
  const { params, upstream, intervalStart, intervalEnd, partition, ...rest } = row;
  const logicalDate = row.logicalDate === null ? null : new Date(row.logicalDate);
  const interval = intervalStart && intervalEnd ? { start: new Date(intervalStart), end: new Date(intervalEnd) } : null;
  return {
    ...rest,
    taskInstanceId: wait.taskInstanceId,
    attemptId: wait.attemptId,
    logicalDate,
    interval,
    runCreatedAt: new Date(row.runCreatedAt),
    values: {
      params,
      outputs: Object.fromEntries(Object.entries(upstream ?? {}).map(([taskId, from]) => [taskId, valueFrom(from)])),
      run: {
        runId: row.runId,
        dagId: row.dagId,
        logicalDate: logicalDate?.toISOString() ?? null,
        intervalStart: interval?.start.toISOString() ?? null,
        intervalEnd: interval?.end.toISOString() ?? null,
        partition,
      },
    },
  };
}

/** Gives waits back until they are due again. One that was woken meanwhile, or is over, is left as it is. */
export async function rearmWaits(sql: Sql, waits: readonly RearmedWait[]): Promise<void> {
  if (waits.length > 0) await sql.query("select rearm_waits($1)", [JSON.stringify(waits)]);
}

/** What the end of waits led to. */
export interface FinishedWaits {
  /** Attempts that this call ended. */
  readonly attempts: readonly string[];
  readonly queued: number;
  readonly closed: number;
  readonly events: number;
}

/**
 * Ends waits, with all that follows for their runs, in the transaction of `sql`. Attempts that are no longer waiting (cleared,
 * cancelled, ended by another scheduler) are left alone.
 */
export async function endWaits(sql: Sql, outcomes: readonly WaitOutcome[]): Promise<FinishedWaits> {
  const result = await sql.query<FinishedWaits>("select * from finish_waits($1)", [
    JSON.stringify(outcomes.map(storable)),
  ]);
  return result.rows[0] as FinishedWaits;
}

/** {@link endWaits} in a transaction of its own; wakes whom it made work for. Returns the attempts it ended. */
export async function finishWaits(database: Database, outcomes: readonly WaitOutcome[]): Promise<readonly string[]> {
  if (outcomes.length === 0) return [];
  const { attempts, queued, closed, events } = await withRetry(() => endWaits(database, outcomes), { tries: TRIES });
  if (queued > 0) wakeSoon(database, "qflow_work");
  if (queued + closed + events > 0) wakeSoon(database, "qflow_scheduler");
  return attempts;
}

/** Queues sensors whose function is due to be called again; several schedulers share them. Returns how many. */
export async function queuePokes(sql: Sql): Promise<number> {
  const result = await sql.query<{ n: number }>("select queue_pokes($1) as n", [BATCH]);
  return result.rows[0]?.n ?? 0;
}

/** A sensor's attempt whose deadline came between two calls of its function. */
export interface LateSensor {
  readonly attemptId: string;
  readonly token: string;
  readonly sensor: SensorSpec;
  readonly timeoutMs: number;
  readonly polls: number;
}

/** Sensors that are due for a call which would come after their deadline. */
export async function lateSensors(sql: Sql): Promise<LateSensor[]> {
  const result = await sql.query<LateSensor>(
    `select a.attempt_id as "attemptId", a.token, d.sensor, d.timeout_ms::float8 as "timeoutMs", a.polls
     from task_instance t
     join task_attempt a on a.attempt_id = t.attempt_id
     join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
     where t.state = 'up_for_reschedule' and t.wake_at <= now() and a.deadline_at <= now() order by t.wake_at limit $1`,
    [BATCH],
  );
  return result.rows;
}

/** What there is to do about waits. */
export interface DueWaits {
  /** Sensors that are to begin to wait. */
  readonly queued: boolean;
  /** Sensors whose function is to be called again, or is too late for that. */
  readonly pokes: boolean;
  readonly waits: boolean;
  /** Milliseconds until the next of them is due; null where none waits for a time. */
  readonly nextInMs: number | null;
}

/** One look at what is due: cheap where nothing is. */
export async function dueWaits(sql: Sql): Promise<DueWaits> {
  const result = await sql.query<{ due: DueWaits }>("select due_waits() as due");
  return result.rows[0]?.due ?? { queued: false, pokes: false, waits: false, nextInMs: null };
}
