/** Reads what decides about a run and its task instances that have not ended. */
import { QflowError } from "../../errors.ts";
import type { Sql } from "../database.ts";
import type { RunState, TaskState } from "../task-states.ts";

/** What is known about a run. */
export interface RunFacts {
  readonly id: number;
  readonly runId: string;
  readonly state: RunState;
  readonly runAfter: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly cancelRequested: boolean;
  /** Why it ends otherwise than by its tasks; null where it does not. */
  readonly endReason: string | null;
  /** Queued runs of the same kind that start before this one. */
  readonly ahead: number;
  readonly concurrencyKey: string | null;
  readonly concurrencyLimit: number | null;
  /** Running runs with the same key. */
  readonly keyHolders: readonly string[];
  /** Its own deadline, while it goes on. */
  readonly deadline: Date | null;
  /** The backfill it belongs to. */
  readonly backfill: {
    readonly id: number;
    readonly paused: boolean;
    readonly maxActiveRuns: number;
    readonly running: readonly string[];
  } | null;
}

/** Who holds slots of a pool. */
export interface SlotHolder {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly slots: number;
}

/** What is known about a task instance; it stands for `count` instances of its task that are in the same state. */
export interface TaskFacts {
  readonly taskId: string;
  readonly mapIndex: number;
  readonly state: TaskState;
  readonly count: number;
  readonly tryNumber: number;
  readonly reason: string | null;
  readonly wakeAt: Date | null;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly lane: string;
  readonly queue: string;
  readonly pool: string;
  readonly poolSlots: number;
  /** Upstreams, and tasks that may yet skip this one, that have not ended. */
  readonly waitsFor: readonly { readonly taskId: string; readonly state: TaskState; readonly count: number }[];
  /** Null where there is no such pool, or the instance is not queued. */
  readonly slots: { readonly all: number; readonly used: number; readonly holders: readonly SlotHolder[] } | null;
  readonly runActive: number;
  readonly maxActiveTasks: number;
  readonly taskActive: number;
  readonly maxActive: number | null;
  readonly keyActive: number;
  readonly concurrencyKey: string | null;
  readonly concurrencyLimit: number | null;
  /** Queued instances of the same pool and queue with better priority, or that came before; counted up to {@link AHEAD_LIMIT}. */
  readonly ahead: number;
  /** What a deferred instance waits for. */
  readonly wait: { readonly kind: string; readonly note: string | null; readonly deadline: string } | null;
  /** By when it is to have ended. */
  readonly deadline: Date | null;
  /** Host of the worker that runs it, and whether it was told to end. */
  readonly host: string | null;
  readonly revoked: string | null;
}

/** A live worker. */
export interface WorkerFacts {
  readonly hostId: string;
  readonly draining: boolean;
  readonly queues: readonly string[];
  /** Tries it has now. */
  readonly running: number;
}

/** More instances ahead are not counted. */
export const AHEAD_LIMIT = 1_000;
/** Names listed of one kind. */
const NAMED = 10;
/** Tasks, each in one state, that are looked at. */
const TASKS = 300;

/** The facts of a run. Throws NOT_FOUND. */
export async function readRunFacts(sql: Sql, dagId: string, runId: string): Promise<RunFacts> {
  const found = await sql.query<RunFacts>(
    `select r.id::float8 as id, r.run_id as "runId", r.state, r.run_after as "runAfter", r.started_at as "startedAt",
       r.ended_at as "endedAt", r.cancel_requested_at is not null as "cancelRequested", r.reason as "endReason", r.concurrency_key as "concurrencyKey",
       r.concurrency_limit as "concurrencyLimit",
       (select count(*)::integer from dag_run o where o.dag_id = r.dag_id and o.state = 'queued' and o.run_after <= now()
          and o.backfill_id is not distinct from r.backfill_id and (o.run_after, o.id) < (r.run_after, r.id)) as ahead,
       array(select o.run_id from dag_run o where o.dag_id = r.dag_id and o.state = 'running' and o.concurrency_key = r.concurrency_key
         order by o.id limit $3) as "keyHolders",
       (select l.due_at from deadline l where l.dag_run_id = r.id and l.task_instance_id is null) as deadline,
       (select jsonb_build_object('id', b.id, 'paused', b.paused, 'maxActiveRuns', b.max_active_runs, 'running', array(
          select o.run_id from dag_run o where o.backfill_id = b.id and o.state = 'running' order by o.id))
        from backfill b where b.id = r.backfill_id) as backfill
     from dag_run r where r.dag_id = $1 and r.run_id = $2`,
    [dagId, runId, NAMED],
  );
  const row = found.rows[0];
  if (!row) throw new QflowError("NOT_FOUND", `DAG ${dagId} has no run ${runId}`);
  return row;
}

const WAITS_FOR = `
  select coalesce(jsonb_agg(jsonb_build_object('taskId', w.task_id, 'state', w.state, 'count', w.n)), '[]') from (
    select u.task_id, u.state, count(*)::integer as n
    from (
      select upstream_index, per_item from task_edge e where e.version_id = t.version_id and e.downstream_index = t.task_index
      union
      select gate_index, per_item from task_gate g where g.version_id = t.version_id and g.task_index = t.task_index
    ) e
    join task_instance u on u.dag_run_id = t.dag_run_id and u.task_index = e.upstream_index
      and (not e.per_item or u.map_index = t.map_index) and not is_ended(u.state)
    where t.state = 'none'
    group by u.task_index, u.task_id, u.state order by u.task_index limit $4) w`;

const SLOTS = `
  select jsonb_build_object('all', p.slots, 'used', coalesce(sum(h.pool_slots), 0), 'holders', coalesce(jsonb_agg(
    jsonb_build_object('dagId', h.dag_id, 'runId', h.run_id, 'taskId', h.task_id, 'mapIndex', h.map_index, 'slots', h.pool_slots)
    order by h.started_at) filter (where h.place <= $4), '[]'))
  from pool p left join lateral (
    select i.dag_id, o.run_id, i.task_id, i.map_index, i.pool_slots, i.started_at, row_number() over (order by i.started_at) as place
    from task_instance i join dag_run o on o.id = i.dag_run_id where i.state = 'running' and i.pool = p.name) h on true
  where p.name = t.pool and t.state = 'queued' group by p.name`;

const TASK_SQL = `
  with chosen as (
    select distinct on (t.task_index, t.state) t.*, count(*) over (partition by t.task_index, t.state)::integer as n
    from task_instance t
    where t.dag_run_id = $1 and ($2::text is null or t.task_id = $2) and ($3::integer is null or t.map_index = $3)
      and ($2 is not null or not is_ended(t.state))
    order by t.task_index, t.state, t.map_index limit $5
  )
  select t.task_id as "taskId", t.map_index as "mapIndex", t.state, t.n as count, t.try_number as "tryNumber", t.reason,
    t.wake_at as "wakeAt", t.started_at as "startedAt", t.ended_at as "endedAt", t.lane, t.queue, t.pool, t.pool_slots as "poolSlots",
    (${WAITS_FOR}) as "waitsFor", (${SLOTS}) as slots,
    (select count(*)::integer from task_instance i where i.dag_run_id = t.dag_run_id and i.state = 'running') as "runActive",
    v.max_active_tasks as "maxActiveTasks", t.max_active as "maxActive",
    (select count(*)::integer from task_instance i where i.state = 'running' and i.max_active is not null and i.dag_id = t.dag_id
       and i.task_id = t.task_id) as "taskActive",
    t.concurrency_key as "concurrencyKey", t.concurrency_limit as "concurrencyLimit",
    (select count(*)::integer from task_instance i where i.state = 'running' and i.dag_id = t.dag_id
       and i.concurrency_key = t.concurrency_key) as "keyActive",
    (select count(*)::integer from (
       select from task_instance q where t.state = 'queued' and q.state = 'queued' and q.lane = t.lane and q.pool = t.pool
         and q.queue = t.queue and (q.rank, q.id) < (t.rank, t.id) limit ${AHEAD_LIMIT}) q) as ahead,
    (select jsonb_build_object('kind', w.kind, 'note', w.note, 'deadline', w.deadline) from task_wait w
     where w.task_instance_id = t.id) as wait,
    (select l.due_at from deadline l where l.task_instance_id = t.id) as deadline, a.host_id as host, a.revoked
  from chosen t
  join dag_version v on v.id = t.version_id
  left join lateral (
    select w.host_id, a.revoked from task_attempt a left join worker w using (worker_id)
    where t.state = 'running' and a.attempt_id = t.attempt_id) a on true
  order by t.task_index, t.map_index`;

/**
 * The facts of a run's tasks: of all that have not ended, each state of a mapped task once, or (`task`) of one, ended or not.
 * Throws NOT_FOUND for a task that the run does not have.
 */
export async function readTaskFacts(
  sql: Sql,
  run: { readonly id: number },
  task?: { readonly taskId: string; readonly mapIndex?: number | undefined },
): Promise<TaskFacts[]> {
  const values = [run.id, task?.taskId ?? null, task?.mapIndex ?? null, NAMED, TASKS];
  const found = await sql.query<TaskFacts>(TASK_SQL, values);
  if (task && found.rows.length === 0) {
    throw new QflowError("NOT_FOUND", `the run has no task instance ${task.taskId}`);
  }
  return found.rows;
}

/** Workers whose lease has not run out. */
export async function readWorkerFacts(sql: Sql): Promise<WorkerFacts[]> {
  const found = await sql.query<WorkerFacts>(
    `select w.host_id as "hostId", w.state = 'draining' as draining, w.queues, (
       select count(*)::integer from task_attempt a where a.worker_id = w.worker_id and a.state = 'running') as running
     from worker w where w.state in ('active', 'draining') and w.lease_expires_at > now() order by w.worker_id`,
  );
  return found.rows;
}
