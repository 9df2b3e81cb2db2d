/** Doing ended task instances again: the affected set first, then the change. */
import { QflowError } from "../errors.ts";
import type { Database, Sql } from "./database.ts";
import { runKey } from "./runs.ts";
import type { TaskState } from "./task-states.ts";
import { wakeWith } from "./wake.ts";

/** Which instances of a run are to be done again. */
export interface ClearRequest {
  readonly dagId: string;
  readonly runId: string;
  /** Default: every task. */
  readonly taskIds?: readonly string[];
  readonly mapIndexes?: readonly number[];
  /** Only those in one of these states (default: all ended ones). */
  readonly states?: readonly TaskState[];
  /** Which relatives are done again with them. Default: downstream, without which a new value would reach nobody. */
  readonly relatives?: "none" | "downstream" | "upstream" | "both";
}

/** An instance that a clear concerns. */
export interface AffectedInstance {
  readonly id: number;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly state: TaskState;
}

/** What {@link clearTasks} would do; changes nothing. Throws NOT_FOUND. */
export async function previewClear(sql: Sql, request: ClearRequest): Promise<AffectedInstance[]> {
  const run = await runKey(sql, request.dagId, request.runId);
  const relatives = request.relatives ?? "downstream";
  const result = await sql.query<AffectedInstance>(
    `with recursive base as (
       select t.* from task_instance t
       where t.dag_run_id = $1 and ($2::text[] is null or t.task_id = any ($2)) and ($3::integer[] is null or t.map_index = any ($3))
         and ($4::text[] is null or t.state = any ($4)) and t.state <> 'none'
     ), down as (
       select version_id, task_index from base
       union
       select d.version_id, e.downstream_index from down d
       join task_edge e on e.version_id = d.version_id and e.upstream_index = d.task_index where $5
     ), up as (
       select version_id, task_index from base
       union
       select u.version_id, e.upstream_index from up u
       join task_edge e on e.version_id = u.version_id and e.downstream_index = u.task_index where $6
     )
     select t.id::float8 as id, t.task_id as "taskId", t.map_index as "mapIndex", t.state from task_instance t
     where t.dag_run_id = $1 and t.state <> 'none' and (t.id in (select id from base)
       or t.task_index not in (select task_index from base)
         and (t.task_index in (select task_index from down) or t.task_index in (select task_index from up)))
     order by t.task_index, t.map_index`,
    [
      run,
      request.taskIds ?? null,
      request.mapIndexes ?? null,
      request.states ?? null,
      relatives === "downstream" || relatives === "both",
      relatives === "upstream" || relatives === "both",
    ],
  );
  return result.rows;
}

/**
 * Lets ended instances be done again, by the code version their run is pinned to; attempts and history stay. The run goes
 * on. Throws NOT_FOUND, CONFLICT (one of them has not ended).
 */
export async function clearTasks(database: Database, request: ClearRequest): Promise<AffectedInstance[]> {
  return database.transaction(async (sql) => {
    const affected = await previewClear(sql, request);
    if (affected.length === 0) return [];
    const run = await runKey(sql, request.dagId, request.runId);
    await sql.query("select clear_instances($1, $2)", [run, affected.map(({ id }) => id)]).catch(asConflict);
    await wakeWith(sql, "qflow_work");
    return affected;
  });
}

function asConflict(error: Error & { code?: string }): never {
  if (error.code !== "QF002") throw error;
  throw new QflowError("CONFLICT", error.message, {
    cause: error,
    remedy: "Cancel the run, or wait until the task has ended.",
  });
}
