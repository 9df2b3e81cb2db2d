/** Doing task instances again: the affected set first, then the change. */
import { QflowError } from "../errors.ts";
import { type AffectedInstance, affectedInstances, CLEARABLE, type InstanceChoice, isSameSet } from "./affected.ts";
import type { Database, Sql } from "./database.ts";
import { rebindToLatest, type VersionDiff } from "./rebind.ts";
import { runKey } from "./runs.ts";
import { wakeWith } from "./wake.ts";

export type { AffectedInstance } from "./affected.ts";

/** Which instances of a run are to be done again, and how. */
export interface ClearRequest extends InstanceChoice {
  /** Default: downstream, without which a new value would reach nobody. */
  readonly relatives?: NonNullable<InstanceChoice["relatives"]>;
  /** What about instances that wait or run: refuse the whole call (default), or end them first. */
  readonly unended?: "refuse" | "cancel";
  /** Default: the version the run is pinned to. `latest` binds the run to its DAG's newest version. */
  readonly version?: "pinned" | "latest";
  /** `nothing` = no ended instance: only what the latest version adds. Default: what is chosen. */
  readonly only?: "chosen" | "nothing";
}

/** What a clear does. */
export interface ClearReport {
  /** Instances that are done again, with the states they were in. */
  readonly affected: readonly AffectedInstance[];
  /** How the version changes; null where it does not. */
  readonly diff: VersionDiff | null;
}

/** Thrown inside a transaction whose changes are only to be looked at. */
class Unwanted extends Error {
  readonly report: ClearReport;

  constructor(report: ClearReport) {
    super("a preview changes nothing");
    this.report = report;
  }
}

/** What {@link clearTasks} would do; changes nothing. Throws NOT_FOUND, CONFLICT, PARAMS_INVALID as the change would. */
export async function previewClear(database: Database, request: ClearRequest): Promise<ClearReport> {
  if (request.version !== "latest") {
    const key = await runKey(database, request.dagId, request.runId);
    return { affected: await chosen(database, key, request), diff: null };
  }
  try {
    // What a newer version makes of a run is known when it is bound to it: done, looked at, and taken back.
    return await database.transaction(async (sql) => {
      throw new Unwanted(await rebound(sql, await runKey(sql, request.dagId, request.runId), request));
    });
  } catch (error) {
    if (error instanceof Unwanted) return error.report;
    throw error;
  }
}

/**
 * Lets instances be done again; attempts and history stay, and the run goes on. Of two callers, or a caller and the end of a
 * task, one wins. Throws NOT_FOUND, CONFLICT (an instance has not ended, or the run changed meanwhile), PARAMS_INVALID (the
 * latest version does not take the run's conf).
 */
export async function clearTasks(database: Database, request: ClearRequest): Promise<ClearReport> {
  return database.transaction(async (sql) => {
    const key = await runKey(sql, request.dagId, request.runId);
    const report = request.version === "latest" ? await rebound(sql, key, request) : await unchanged(sql, key, request);
    const ids = report.affected.map(({ id }) => id);
    if (ids.length === 0 && report.diff === null) return report;
    await sql.query("select clear_instances($1, $2)", [key, ids]);
    await wakeWith(sql, "qflow_work");
    return report;
  });
}

function chosen(sql: Sql, key: number, request: ClearRequest): Promise<AffectedInstance[]> {
  if (request.only === "nothing") return Promise.resolve([]);
  return affectedInstances(sql, key, { relatives: "downstream", setups: "include", ...request }, CLEARABLE);
}

/** What is chosen, under the run's lock, and the same as before it. */
async function unchanged(sql: Sql, key: number, request: ClearRequest): Promise<ClearReport> {
  const before = await chosen(sql, key, request);
  await sql.query("select lock_run($1)", [key]);
  const affected = await chosen(sql, key, request);
  if (!isSameSet(before, affected)) throw changedMeanwhile(request); // guard: clear-same
  await refuseUnended(sql, key, affected, request);
  return { affected, diff: null };
}

function changedMeanwhile({ dagId, runId }: ClearRequest): QflowError {
  return new QflowError("CONFLICT", `run ${runId} of DAG ${dagId} changed while it was looked at`);
}

async function refuseUnended(
  sql: Sql,
  key: number,
  affected: readonly AffectedInstance[],
  request: ClearRequest,
): Promise<void> {
  if (request.unended === "cancel") return;
  const ids = affected.map(({ id }) => id);
  await sql.query("select refuse_unended($1, $2)", [key, ids]).catch(asConflict);
}

/** Binds the run to the latest version, then chooses in its graph. */
async function rebound(sql: Sql, key: number, request: ClearRequest): Promise<ClearReport> {
  await sql.query("select lock_run($1)", [key]);
  const whole = await affectedInstances(sql, key, {}, CLEARABLE);
  const unended = whole.filter(({ state }) => !ENDED.has(state));
  await refuseUnended(sql, key, unended, request);
  const inOldGraph = await chosen(sql, key, request);
  await sql.query("select withdraw_instances($1, $2, 'cleared')", [key, unended.map(({ id }) => id)]);
  const { diff, reshaped } = await rebindToLatest(sql, key);
  const inNewGraph = await affectedInstances(sql, key, laterChoice(request, diff), CLEARABLE);
  const ids = new Set([...reshaped, ...[...unended, ...inOldGraph, ...inNewGraph].map(({ id }) => id)]);
  const before = new Map(whole.map((one) => [one.id, one.state]));
  const present = await affectedInstances(sql, key, {}, [...CLEARABLE, "none"]);
  const affected = present.flatMap((one) => {
    const state = before.get(one.id);
    return state !== undefined && ids.has(one.id) ? [{ ...one, state }] : [];
  });
  return { affected, diff };
}

/** What is chosen in the new graph: tasks that are gone cannot be named there. */
function laterChoice(request: ClearRequest, diff: VersionDiff | null): Omit<InstanceChoice, "dagId" | "runId"> {
  if (request.only === "nothing") return { tasks: [] };
  const tasks = request.tasks?.filter(({ taskId }) => !diff?.removed.includes(taskId));
  return { relatives: "downstream", ...request, ...(tasks ? { tasks } : {}) };
}

const ENDED: ReadonlySet<string> = new Set(["success", "failed", "skipped", "upstream_failed", "removed"]);

function asConflict(error: Error & { code?: string }): never {
  if (error.code !== "QF002") throw error;
  throw new QflowError("CONFLICT", error.message, {
    cause: error,
    remedy: "Wait until it has ended, or clear it with what is running: that ends it first.",
  });
}
