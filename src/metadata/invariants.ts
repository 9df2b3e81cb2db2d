/**
 * What must be true of the database at any moment, each as one query that returns what breaks it. They read whole tables: for
 * `qflow db check`, simulation, chaos and tests, never for a loop.
 */
import type { Sql } from "./database.ts";
import { legalMoves } from "./task-states.ts";
import { LEASE_SECONDS } from "./worker-sessions.ts";

/** One promise and the query that finds what breaks it: rows of `problem` and `subject`. */
export interface Invariant {
  /** Short name, as docs/reliability.md lists it. */
  readonly name: string;
  readonly promise: string;
  readonly sql: string;
}

/** A row that breaks an invariant. */
export interface Violation {
  readonly invariant: string;
  readonly problem: string;
  /** What it was found on, e.g. `task instance 12`. */
  readonly subject: string;
}

/** Seconds within which everything that is not over has moved or has a live owner: two leases and half a minute. */
export const SETTLE_SECONDS = 2 * LEASE_SECONDS + 30;

const FINAL = "('success', 'failed', 'skipped', 'upstream_failed', 'removed')";

const LEGAL_MOVES = `array[${legalMoves()
  .map((move) => `'${move}'`)
  .join(", ")}]`;

/** Exactly one run a tick, and one a dataset event and consumer. */
const ticks: Invariant = {
  name: "I1",
  promise:
    "every settled tick has at most one scheduled run, no run is ahead of its schedule, every consumed event started one run",
  sql: `
    select 'two scheduled runs of one tick' as problem, format('dag %s at %s', dag_id, logical_date) as subject
    from dag_run where kind = 'scheduled' group by dag_id, logical_date having count(*) > 1
    union all
    select 'a scheduled run of a tick that is not settled', format('dag run %s', r.id)
    from dag_run r join dag d using (dag_id)
    where r.kind = 'scheduled' and (r.logical_date is null or d.scheduled_until is null or r.logical_date > d.scheduled_until)
    union all
    select 'the next tick is settled already', format('dag %s', dag_id)
    from dag where not plan_pending and next_logical_date <= scheduled_until
    union all
    select 'an event started two runs of one consumer', format('dag %s, event %s', r.dag_id, e.event_id)
    from dag_run_event e join dag_run r on r.id = e.dag_run_id group by r.dag_id, e.event_id having count(*) > 1
    union all
    select 'a consumer passed over an event', format('dag %s, event %s', f.dag_id, e.id)
    from (
      select r.dag_id, e.dataset, min(e.id) as first from dag_run_event c
      join dag_run r on r.id = c.dag_run_id join dataset_event e on e.id = c.event_id group by r.dag_id, e.dataset) f
    join dataset_cursor k on k.dag_id = f.dag_id and k.dataset = f.dataset
    join dataset_event e on e.dataset = f.dataset and e.id between f.first and k.event_id
    -- Runs of older events may have been removed.
    where e.at > coalesce((select (value ->> 'before')::timestamptz from setting where key = 'retention'), '-infinity') and not exists (
      select from dag_run_event c join dag_run r on r.id = c.dag_run_id where c.event_id = e.id and r.dag_id = f.dag_id)`,
};

/** Attempts are numbered without gaps and one at a time runs. */
const attempts: Invariant = {
  name: "I2",
  promise: "attempts of an instance are numbered 1, 2, 3 …; at most one runs, and exactly where the instance does",
  sql: `
    select 'attempts are not numbered without gaps' as problem, format('task instance %s', t.id) as subject
    from task_instance t join task_attempt a on a.task_instance_id = t.id
    group by t.id having count(*) <> max(a.try_number) or max(a.try_number) <> t.try_number
    union all
    select 'tries without attempts', format('task instance %s', t.id) from task_instance t
    where t.try_number > 0 and not exists (select from task_attempt a where a.task_instance_id = t.id)
    union all
    select 'two running attempts', format('task instance %s', task_instance_id)
    from task_attempt where state = 'running' group by task_instance_id having count(*) > 1
    union all
    select 'a running attempt of an instance that does not run it', format('attempt %s', a.attempt_id)
    from task_attempt a join task_instance t on t.id = a.task_instance_id
    where a.state = 'running' and (t.state <> 'running' or t.attempt_id is distinct from a.attempt_id)
    union all
    select 'an instance runs without a running attempt', format('task instance %s', t.id)
    from task_instance t left join task_attempt a on a.attempt_id = t.attempt_id
    where t.state = 'running' and a.state is distinct from 'running'`,
};

/** Nothing that was written by an attempt which did not succeed under its own token counts. */
const fencing: Invariant = {
  name: "I3",
  promise: "only the attempt that owned its task wrote its outcome, value and events",
  sql: `
    select 'a success of an attempt that did not succeed' as problem, format('attempt %s', a.attempt_id) as subject
    from task_event e join task_attempt a on a.attempt_id = e.attempt_id
    where e.from_state = 'running' and e.to_state = 'success' and (a.state <> 'success' or a.fenced)
    union all
    select 'a fenced attempt that succeeded', format('attempt %s', attempt_id)
    from task_attempt where fenced and state = 'success'
    union all
    select 'an event of an attempt that did not succeed', format('dataset event %s', d.id)
    from dataset_event d join task_attempt a on a.attempt_id = d.attempt_id where a.state <> 'success' or a.fenced
    union all
    select 'a value of an instance that did not succeed', format('task instance %s', t.id)
    from xcom x join task_instance t on t.id = x.task_instance_id where t.state <> 'success'`,
};

/** One content, one effect. */
const effects: Invariant = {
  name: "I4",
  promise: "a file is loaded once, and its rows are accounted for",
  sql: `
    select 'the same content is loaded twice' as problem, format('feed %s, sha256 %s', feed, sha256) as subject
    from file_manifest where state = 'loaded' and replaced_by is null group by feed, sha256 having count(*) > 1
    union all
    select 'rows of a loaded file are missing', format('file %s', file_id)
    from file_manifest where state = 'loaded' and rows_read <> rows_loaded + rows_duplicate + rows_quarantined`,
};

/** Limits now, and in every moment the history shows. A pool that is made smaller is over its limit until its tasks have ended. */
const limits: Invariant = {
  name: "I5",
  promise:
    "pools, max_active_runs, max_active_tasks, limits by key and the limits of a task and a backfill are never exceeded",
  sql: `
    select 'a pool is overrun' as problem, format('pool %s', t.pool) as subject
    from task_instance t join pool p on p.name = t.pool where t.state = 'running'
    group by t.pool, p.slots having sum(t.pool_slots) > p.slots
    union all
    select distinct 'a pool was overrun', format('pool %s', pool) from (
      select t.pool, p.slots, sum(case when e.to_state = 'running' then t.pool_slots else -t.pool_slots end)
        over (partition by t.pool order by e.at, e.task_instance_id) as used
      from task_event e join task_instance t on t.id = e.task_instance_id join pool p on p.name = t.pool
      where 'running' in (e.from_state, e.to_state)) replay
    where used > slots
    union all
    select 'too many running runs', format('dag %s', d.dag_id)
    from dag_run r join dag d using (dag_id) where r.state = 'running' and r.backfill_id is null
    group by d.dag_id having count(*) > d.max_active_runs
    union all
    select 'too many running runs of a backfill', format('backfill %s', b.id)
    from dag_run r join backfill b on b.id = r.backfill_id where r.state = 'running'
    group by b.id having count(*) > b.max_active_runs
    union all
    select 'too many running runs of a key', format('key %s of dag %s', concurrency_key, dag_id)
    from dag_run where state = 'running' group by dag_id, concurrency_key having count(*) > max(concurrency_limit)
    union all
    select 'too many running tasks of a key', format('key %s of dag %s', concurrency_key, dag_id)
    from task_instance where state = 'running' group by dag_id, concurrency_key having count(*) > max(concurrency_limit)
    union all
    select 'too many running tasks of a run', format('dag run %s', t.dag_run_id)
    from task_instance t join dag_run r on r.id = t.dag_run_id join dag_version v on v.id = r.version_id
    where t.state = 'running' group by t.dag_run_id, v.max_active_tasks having count(*) > v.max_active_tasks
    union all
    select 'too many running instances of a task', format('task %s of dag %s', task_id, dag_id)
    from task_instance where state = 'running' group by dag_id, task_id having count(*) > max(max_active)`,
};

/** The history of every instance is a path through the state table that ends where the instance is. */
const moves: Invariant = {
  name: "I6",
  promise: "only legal transitions, each from the state that the one before led to",
  sql: `
    with step as (
      select task_instance_id, from_state, to_state, lag(to_state) over w as before, lead(at) over w is null as is_last
      from task_event window w as (partition by task_instance_id order by at)
    )
    select format('an illegal move from %s to %s', from_state, to_state) as problem, format('task instance %s', task_instance_id) as subject
    from step where from_state || '>' || to_state <> all (${LEGAL_MOVES})
    union all
    select format('a move from %s after one to %s', from_state, before), format('task instance %s', task_instance_id)
    from step where before <> from_state
    union all
    select format('is %s, its history ends with %s', t.state, s.to_state), format('task instance %s', t.id)
    from step s join task_instance t on t.id = s.task_instance_id where s.is_last and t.state <> s.to_state`,
};

/** At the moment an instance became ready, the states its upstreams had then allowed it. */
const rules: Invariant = {
  name: "I7",
  promise: "no task is queued before its trigger rule holds",
  sql: `
    with ready as (
      select t.id, t.dag_run_id, t.version_id, t.task_index, t.rule, e.at
      from task_event e join task_instance t on t.id = e.task_instance_id
      where e.from_state = 'none' and e.to_state = 'queued'
    ), upstream as (
      select r.id, r.at, r.rule, (
        select p.to_state from task_event p where p.dag_run_id = r.dag_run_id and p.task_instance_id = u.id and p.at < r.at
        order by p.at desc limit 1) as state, u.map_index
      from ready r
      join task_edge g on g.version_id = r.version_id and g.downstream_index = r.task_index
      join task_instance u on u.dag_run_id = r.dag_run_id and u.task_index = g.upstream_index
    ), counted as (
      select id, rule, count(*)::integer as total, (count(*) filter (where state = 'success'))::integer as success,
        (count(*) filter (where state = 'failed'))::integer as failed, (count(*) filter (where state = 'skipped'))::integer as skipped,
        (count(*) filter (where state = 'upstream_failed'))::integer as upstream_failed
      -- An item that did not exist then has no history; the first one is the row that waited.
      from upstream where state is not null or map_index <= 0 group by id, at, rule
    )
    select format('queued against rule %s', rule) as problem, format('task instance %s', id) as subject
    from counted where decide(rule, total, success, failed, skipped, upstream_failed) <> 'queued'`,
};

/** Nothing waits for what will never come. */
const liveness: Invariant = {
  name: "I8",
  promise: `within ${SETTLE_SECONDS} s everything that is not over has moved or has a live owner`,
  sql: `
    select 'an attempt without a live worker' as problem, format('attempt %s', a.attempt_id) as subject
    from task_attempt a join worker w using (worker_id)
    where a.state = 'running' and coalesce(case when w.state in ('ended', 'lost') then w.ended_at end, w.lease_expires_at)
      < now() - interval '${SETTLE_SECONDS} s'
    union all
    select 'a retry that is long due', format('task instance %s', id)
    from task_instance where state = 'up_for_retry' and (wake_at is null or wake_at < now() - interval '${SETTLE_SECONDS} s')
    union all
    select 'a run that is over and has not ended', format('dag run %s', r.id)
    from dag_run r where r.state = 'running'
      and not exists (select from task_instance t where t.dag_run_id = r.id and t.state not in ${FINAL})
    union all
    select 'a run in which nothing can move', format('dag run %s', r.id)
    from dag_run r where r.state = 'running'
      and exists (select from task_instance t where t.dag_run_id = r.id and t.state = 'none')
      and not exists (select from task_instance t where t.dag_run_id = r.id and t.state <> 'none' and t.state not in ${FINAL})
    union all
    select 'an ended run with instances that have not', format('dag run %s', r.id)
    from dag_run r where r.state in ('success', 'failed')
      and exists (select from task_instance t where t.dag_run_id = r.id and t.state not in ${FINAL})
    union all
    select 'a task that could start in a run that has not started', format('task instance %s', t.id)
    from task_instance t join dag_run r on r.id = t.dag_run_id where t.state in ('queued', 'running') and r.state = 'queued'
    union all
    select 'a queued run with room to start', format('dag run %s', r.id)
    from dag_run r join dag d using (dag_id)
    where r.state = 'queued' and d.active and not d.paused
      and greatest(r.run_after, r.queued_at) < now() - interval '${SETTLE_SECONDS} s'
      and run_fits_key(r) and case when r.backfill_id is null
        then (select count(*) from dag_run o where o.dag_id = r.dag_id and o.state = 'running' and o.backfill_id is null) < d.max_active_runs
        else exists (select from backfill b where b.id = r.backfill_id and (b.completed_at is not null or not b.paused)
          and (select count(*) from dag_run o where o.backfill_id = b.id and o.state = 'running') < b.max_active_runs) end
      and coalesce((select max(o.ended_at) from dag_run o where o.dag_id = r.dag_id), '-infinity') < now() - interval '${SETTLE_SECONDS} s'`,
};

/** What is counted along the way is what there is. */
const conservation: Invariant = {
  name: "I16",
  promise:
    "every attempt has one start and, when it has ended, one end in the history; every counter is what it counts",
  sql: `
    select format('a %s attempt with %s starts and %s ends', state, starts, ends) as problem, format('attempt %s', attempt_id) as subject
    from (
      -- A sensor's attempt starts and ends with every call of its function.
      select a.attempt_id, a.state, count(*) filter (where e.to_state = 'running') as starts,
        count(*) filter (where e.from_state = 'running') as ends
      from task_attempt a join task_instance t on t.id = a.task_instance_id left join task_event e on e.attempt_id = a.attempt_id
      where t.lane <> 'wait' group by a.attempt_id, a.state) attempt
    where starts = 0 or starts - ends <> (state = 'running')::integer
    union all
    select 'unfinished instances are miscounted', format('dag run %s', r.id)
    from dag_run r left join task_instance t on t.dag_run_id = r.id and t.state not in ${FINAL}
    group by r.id having count(t.id) <> r.unfinished
    union all
    select 'upstreams of an undecided instance are miscounted', format('task instance %s', t.id)
    from task_instance t join dag_run r on r.id = t.dag_run_id
    left join task_edge e on e.version_id = t.version_id and e.downstream_index = t.task_index
    left join task_instance u on u.dag_run_id = t.dag_run_id and u.task_index = e.upstream_index
    where t.state = 'none' and r.state = 'running'
    group by t.id having t.up_total <> count(u.id) or t.up_success <> count(*) filter (where u.state = 'success')
      or t.up_failed <> count(*) filter (where u.state = 'failed') or t.up_skipped <> count(*) filter (where u.state = 'skipped')
      or t.up_upstream_failed <> count(*) filter (where u.state = 'upstream_failed')`,
};

/** One writer a service, and numbers that grow: what its fencing token is worth. */
const services: Invariant = {
  name: "I17",
  promise:
    "a service has at most one living attempt, the one its row names; attempts are numbered 1, 2, 3 … and one begins after the other",
  sql: `
    select 'two living attempts of a service' as problem, format('service %s', service_id) as subject
    from service_attempt where state in ('starting', 'running', 'draining') group by service_id having count(*) > 1
    union all
    select 'a living attempt that the service does not name', format('attempt %s of service %s', a.number, a.service_id)
    from service_attempt a join service s using (service_id)
    where (a.state in ('starting', 'running', 'draining')) <> (a.attempt_id is not distinct from s.attempt_id)
    union all
    select 'an attempt began before the one before it had ended', format('attempt %s of service %s', number, service_id)
    from (select *, lag(ended_at) over w as before, lag(number) over w as previous from service_attempt
      window w as (partition by service_id order by number)) a
    where started_at < before or number <> previous + 1
    union all
    select 'a living attempt without a live worker', format('attempt %s of service %s', a.number, a.service_id)
    from service_attempt a left join worker w using (worker_id)
    where a.state in ('starting', 'running', 'draining')
      and coalesce(case when w.state in ('ended', 'lost') then w.ended_at end, w.lease_expires_at, '-infinity')
        < now() - interval '${SETTLE_SECONDS} s'`,
};

/** Logs have every line once. */
const logs: Invariant = {
  name: "I9",
  promise: "the lines of an attempt's log are numbered 1 to N, each there once",
  sql: `
    select 'lines are missing or there twice' as problem, format('attempt %s', attempt_id) as subject
    from (
      select attempt_id, first_line, coalesce(lag(first_line + line_count) over (partition by attempt_id order by first_line), 1) as expected
      from log_chunk) chunk
    where first_line <> expected group by attempt_id`,
};

/** All of them. */
export const INVARIANTS: readonly Invariant[] = [
  ticks,
  attempts,
  fencing,
  effects,
  limits,
  moves,
  rules,
  liveness,
  logs,
  conservation,
  services,
];

/** What breaks the invariants, nothing when all hold; at most `limit` rows each. Every query sees one moment. */
export async function findViolations(sql: Sql, limit = 20): Promise<Violation[]> {
  const found: Violation[] = [];
  for (const { name, sql: text } of INVARIANTS) {
    const rows = await sql.query<{ problem: string; subject: string }>(`select * from (${text}) broken limit $1`, [
      limit,
    ]);
    found.push(...rows.rows.map((row) => ({ invariant: name, ...row })));
  }
  return found;
}
