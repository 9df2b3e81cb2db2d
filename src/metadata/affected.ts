/** Which task instances of a run an action concerns: the tasks that were named, narrowed by state, and their relatives. */
import { QflowError } from "../errors.ts";
import type { Sql } from "./database.ts";
import { TASK_STATES, type TaskState } from "./task-states.ts";

/** A task of a run, or one of its mapped instances. */
export interface TaskPick {
  readonly taskId: string;
  /** Absent = every instance. */
  readonly mapIndex?: number;
}

/** Which relatives of the named tasks an action takes with it. */
export type Relatives = "none" | "downstream" | "upstream" | "both";

/** What an action on a run's instances names. */
export interface InstanceChoice {
  readonly dagId: string;
  readonly runId: string;
  /** Default: every task. */
  readonly tasks?: readonly TaskPick[];
  /** Only those of the named tasks that are in one of these states (default: all). */
  readonly states?: readonly TaskState[];
  readonly relatives?: Relatives;
  /** Whether what the tasks need is taken with them: their setups, and the teardowns of these. Default: it is left. */
  readonly setups?: "include" | "leave";
}

/** An instance that an action concerns. */
export interface AffectedInstance {
  readonly id: number;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly state: TaskState;
}

/** States that can be cleared: undecided instances are what clearing makes. */
export const CLEARABLE: readonly TaskState[] = TASK_STATES.filter((state) => state !== "none" && state !== "removed");

/**
 * The instances that a choice concerns, in the DAG's order. `considered` = the states an instance must be in to be concerned at
 * all, also as a relative. Throws NOT_FOUND for a task that the run does not have.
 */
export async function affectedInstances(
  sql: Sql,
  runKey: number,
  choice: Omit<InstanceChoice, "dagId" | "runId">,
  considered: readonly TaskState[],
): Promise<AffectedInstance[]> {
  await refuseUnknown(sql, runKey, choice.tasks ?? []);
  const relatives = choice.relatives ?? "none";
  const result = await sql.query<AffectedInstance>(
    `with recursive base as (
       select t.* from task_instance t
       where t.dag_run_id = $1 and t.state = any ($4) and ($5::text[] is null or t.state = any ($5))
         and ($2::text[] is null or exists (
           select from unnest($2::text[], $3::integer[]) p (task_id, map_index)
           where p.task_id = t.task_id and (p.map_index is null or p.map_index = t.map_index)))
     ), down as (
       -- Below one item of a map is the same item of a map that follows it.
       select version_id, task_index, nullif(map_index, -1) as item from base
       union
       select d.version_id, e.downstream_index, case when e.per_item then d.item end from down d
       join task_edge e on e.version_id = d.version_id and e.upstream_index = d.task_index
     ), up as (
       select version_id, task_index from base
       union
       select u.version_id, e.upstream_index from up u
       join task_edge e on e.version_id = u.version_id and e.downstream_index = u.task_index
     ), setup as (
       -- Setups above, with each teardown they have, which must be below.
       select s.task_index, e.downstream_index as teardown_index
       from up join task_def s on s.version_id = up.version_id and s.task_index = up.task_index and s.role = 'setup'
       left join (task_edge e join task_def d on d.version_id = e.version_id and d.task_index = e.downstream_index and d.role = 'teardown')
         on e.version_id = s.version_id and e.upstream_index = s.task_index
       where $8 and (e.downstream_index is null or e.downstream_index in (select task_index from down))
     )
     select t.id::float8 as id, t.task_id as "taskId", t.map_index as "mapIndex", t.state from task_instance t
     where t.dag_run_id = $1 and t.state = any ($4) and (t.id in (select id from base)
       or t.task_index not in (select task_index from base)
         and ($6 and exists (select from down d where d.task_index = t.task_index and (d.item is null or d.item = t.map_index))
           or $7 and t.task_index in (select task_index from up)
           or t.task_index in (select task_index from setup union all select teardown_index from setup)))
     order by t.task_index, t.map_index`,
    [
      runKey,
      choice.tasks?.map(({ taskId }) => taskId) ?? null,
      choice.tasks?.map(({ mapIndex }) => mapIndex ?? null) ?? null,
      considered,
      choice.states ?? null,
      relatives === "downstream" || relatives === "both",
      relatives === "upstream" || relatives === "both",
      choice.setups === "include",
    ],
  );
  return result.rows;
}

async function refuseUnknown(sql: Sql, runKey: number, tasks: readonly TaskPick[]): Promise<void> {
  if (tasks.length === 0) return;
  const found = await sql.query<{ task_id: string; map_index: number | null }>(
    `select p.task_id, p.map_index from unnest($2::text[], $3::integer[]) p (task_id, map_index)
     where not exists (select from task_instance t where t.dag_run_id = $1 and t.task_id = p.task_id
       and (p.map_index is null or p.map_index = t.map_index)) limit 1`,
    [runKey, tasks.map(({ taskId }) => taskId), tasks.map(({ mapIndex }) => mapIndex ?? null)],
  );
  const missing = found.rows[0];
  if (!missing) return;
  const item = missing.map_index === null ? "" : `[${missing.map_index}]`;
  throw new QflowError("NOT_FOUND", `the run has no task instance ${missing.task_id}${item}`);
}

/** Whether two looks saw the same instances in the same states. */
export function isSameSet(one: readonly AffectedInstance[], other: readonly AffectedInstance[]): boolean {
  const facts = (set: readonly AffectedInstance[]) => set.map(({ id, state }) => `${id} ${state}`).sort();
  const left = facts(one);
  const right = facts(other);
  return left.length === right.length && left.every((fact, index) => fact === right[index]);
}
