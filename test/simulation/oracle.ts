/** What a simulation must have come to. */

import { listRuns } from "../../src/dag/timetable.ts";
import type { Database } from "../../src/metadata/database.ts";
import { wrongTeardowns } from "./teardowns.ts";
import { expectedEnd, type Piece, type Workload } from "./workload.ts";

/** Whether nothing runs and nothing waits: no open run, no due tick, no event that a consumer has not had. */
export async function isQuiet(database: Database, workload: Workload): Promise<boolean> {
  const found = await database.query<{ busy: boolean }>(
    `select exists (select from dag_run where state in ('queued', 'running'))
       or exists (select from dag where active and (paused or plan_pending or next_run_after <= now()))
       or exists (select from backfill where completed_at is null)
       or exists (select from notification where state = 'pending')
       or exists (select from dataset_cursor c join dataset_event e on e.dataset = c.dataset and e.id > c.event_id
         where c.dag_id = any ($1)) as busy`,
    [[...workload.pieces.keys()]],
  );
  return found.rows[0]?.busy === false && (workload.topic === null || (await workload.topic.isQuiet(database)));
}

/** What is left to do, for whoever reads a failure. */
export async function leftOver(database: Database): Promise<string> {
  const found = await database.query<{ left: string }>(
    `select format('run %s (%s, %s): %s', r.id, r.dag_id, r.state, (
       select string_agg(format('%s[%s] %s', t.task_id, t.map_index, t.state), ', ') from task_instance t
       where t.dag_run_id = r.id and t.ended_at is null)) as left from dag_run r where r.state in ('queued', 'running')
     union all
     select format('dag %s: paused %s, plan pending %s, next %s', dag_id, paused, plan_pending, next_run_after) from dag
     where active and (paused or plan_pending or next_run_after <= now())
     union all
     select format('backfill %s', id) from backfill where completed_at is null
     union all
     select format('notification %s: %s', key, error) from notification where state = 'pending'
     union all
     select format('topic of %s: lease until %s, problem %s, %s messages wait', dag_id, leased_until, problem,
       (select count(*) from message_inbox m where m.dag_id = s.dag_id and taken_at is null)) from message_source s`,
  );
  return found.rows.map(({ left }) => left).join("; ");
}

/**
 * Ends that differ from what the workload's behaviours lead to, ticks and dates of backfills that have no run or one too many,
 * and notifications that are missing or were not taken by their channel.
 */
export async function findWrongEnds(
  database: Database,
  workload: Workload,
  { isSkewed }: { readonly isSkewed: boolean },
): Promise<string[]> {
  const problems: string[] = [];
  for (const piece of workload.pieces.values()) {
    // Which events came before a wait is told by the clock.
    if (piece.spec.dagId !== "waiter" || !isSkewed) problems.push(...(await wrongStates(database, piece, workload)));
    problems.push(...(await wrongTeardowns(database, piece, workload)));
    if (piece.spec.dagId === "clock" || piece.spec.dagId === "follower")
      problems.push(...(await wrongTicks(database, piece)));
    if (piece.spec.dagId === "listener" && workload.topic)
      problems.push(...(await workload.topic.findWrongRuns(database, piece)));
  }
  problems.push(...(await wrongBackfills(database)), ...(await wrongOutbox(database, workload)));
  return problems;
}

/** Every date that a backfill made a run of has that run, and one that is over has left none open. */
async function wrongBackfills(database: Database): Promise<string[]> {
  const found = await database.query<{ problem: string }>(
    `select format('backfill %s has %s runs of %s, which is %s', d.backfill_id, count(r.id), d.logical_date, coalesce(d.outcome, 'open')) as problem
     from backfill_date d left join dag_run r on r.backfill_id = d.backfill_id and r.logical_date = d.logical_date
     group by d.backfill_id, d.logical_date, d.outcome having count(r.id) <> (d.outcome is not distinct from 'created')::integer`,
  );
  return found.rows.map(({ problem }) => problem);
}

/** Who is to be told of an end or a failure has been told, by a channel that took it. */
async function wrongOutbox(database: Database, { delivered }: Workload): Promise<string[]> {
  const missing = await database.query<{ problem: string }>(
    `select format('nobody was told of %s of run %s', w.event, e.dag_run_id) as problem
     from task_event e join task_instance t on t.id = e.task_instance_id
     join notify_rule w on w.version_id = t.version_id
       and w.event = case e.to_state when 'failed' then 'taskFailed' when 'up_for_retry' then 'taskRetry' end
     where e.reason is distinct from 'cancelled' and not exists (
       select from notification n where n.key like format('%s/%s/%s/%%', w.event, e.dag_run_id, t.task_id))
     union all
     select format('nobody was told of the end of run %s', r.id) from dag_run r
     join notify_rule w on w.version_id = r.version_id and w.event = case r.state when 'failed' then 'runFailed' else 'runSucceeded' end
     where not exists (select from notification n where n.key like format('%s/%s/%%', w.event, r.id))`,
  );
  const rows = await database.query<{ id: number; key: string; state: string }>(
    "select id::float8 as id, key, state from notification",
  );
  const untold = rows.rows.filter(({ id, state }) => (state === "sent") !== delivered.has(id));
  return [
    ...missing.rows.map(({ problem }) => problem),
    ...untold.map(
      ({ id, key, state }) => `notification ${key} is ${state} and was taken ${delivered.get(id) ?? 0} times`,
    ),
  ];
}

/** A run that was cancelled or declared ended early, and may have been cleared in part afterwards. */
async function wrongStates(database: Database, piece: Piece, { declared }: Workload): Promise<string[]> {
  const expected = expectedEnd(piece);
  const runs = await database.query<{ id: string; run_id: string; state: string }>(
    `select id::text, run_id, state from dag_run r where dag_id = $1 and cancel_requested_at is null and not exists (
       select from task_event e where e.dag_run_id = r.id and e.reason in ('cancelled', 'the run timed out'))
     and not exists (select from task_attempt a where a.dag_run_id = r.id and a.revoked = 'cancelled')`,
    [piece.spec.dagId],
  );
  const problems: string[] = [];
  for (const run of runs.rows.filter((one) => !declared.has(`${piece.spec.dagId}/${one.run_id}`))) {
    const rows = await database.query<{ task_id: string; states: string[] }>(
      `select task_id, array_agg(state order by map_index) as states from task_instance where dag_run_id = $1
       group by task_id`,
      [run.id],
    );
    for (const { task_id, states } of rows.rows) {
      const wanted = expected.states[task_id] ?? [];
      if (states.join() !== wanted.join())
        problems.push(
          `run ${run.id} (${piece.spec.dagId} ${run.run_id}): ${task_id} is ${states.join()}, not ${wanted.join()}`,
        );
    }
    if (run.state !== expected.run) problems.push(`run ${run.id} is ${run.state}, not ${expected.run}`);
  }
  return problems;
}

async function wrongTicks(database: Database, { spec }: Piece): Promise<string[]> {
  if (spec.catchup !== "all" || spec.schedule === null || !("expression" in spec.schedule)) return [];
  const found = await database.query<{ at: Date }>(
    "select logical_date as at from dag_run where dag_id = $1 and kind = 'scheduled' order by logical_date",
    [spec.dagId],
  );
  const settled = await database.query<{ until: Date | null }>(
    "select scheduled_until as until from dag where dag_id = $1",
    [spec.dagId],
  );
  const until = settled.rows[0]?.until ?? new Date(0);
  const wanted = listRuns(spec.schedule, { from: new Date(spec.start as string), count: 20 })
    .map((run) => run.logicalDate)
    .filter((at) => at <= until);
  const [have, want] = [found.rows.map(({ at }) => at.toISOString()), wanted.map((at) => at.toISOString())];
  return have.join() === want.join() ? [] : [`ticks ${have.join(", ")} have runs, not ${want.join(", ")}`];
}
