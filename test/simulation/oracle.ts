/** What a simulation must have come to. */

import { listRuns } from "../../src/dag/timetable.ts";
import type { Database } from "../../src/metadata/database.ts";
import { expectedEnd, type Piece, type Workload } from "./workload.ts";

/** Whether nothing runs and nothing waits: no open run, no due tick, no event that a consumer has not had. */
export async function isQuiet(database: Database, workload: Workload): Promise<boolean> {
  const found = await database.query<{ busy: boolean }>(
    `select exists (select from dag_run where state in ('queued', 'running'))
       or exists (select from dag where active and (paused or plan_pending or next_run_after <= now()))
       or exists (select from dataset_cursor c join dataset_event e on e.dataset = c.dataset and e.id > c.event_id
         where c.dag_id = any ($1)) as busy`,
    [[...workload.pieces.keys()]],
  );
  return found.rows[0]?.busy === false;
}

/** What is left to do, for whoever reads a failure. */
export async function leftOver(database: Database): Promise<string> {
  const found = await database.query<{ left: string }>(
    `select format('run %s (%s, %s): %s', r.id, r.dag_id, r.state, (
       select string_agg(format('%s[%s] %s', t.task_id, t.map_index, t.state), ', ') from task_instance t
       where t.dag_run_id = r.id and t.ended_at is null)) as left from dag_run r where r.state in ('queued', 'running')
     union all
     select format('dag %s: paused %s, plan pending %s, next %s', dag_id, paused, plan_pending, next_run_after) from dag
     where active and (paused or plan_pending or next_run_after <= now())`,
  );
  return found.rows.map(({ left }) => left).join("; ");
}

/** Ends that differ from what the workload's behaviours lead to, and ticks that have no run or one too many. */
export async function findWrongEnds(database: Database, workload: Workload): Promise<string[]> {
  const problems: string[] = [];
  for (const piece of workload.pieces.values()) {
    problems.push(...(await wrongStates(database, piece)));
    if (piece.spec.dagId === "clock") problems.push(...(await wrongTicks(database, piece)));
  }
  return problems;
}

/** A run that was cancelled ended early, and may have been cleared in part afterwards. */
async function wrongStates(database: Database, piece: Piece): Promise<string[]> {
  const expected = expectedEnd(piece);
  const runs = await database.query<{ id: string; run_id: string; state: string }>(
    `select id::text, run_id, state from dag_run r where dag_id = $1 and not exists (
       select from task_event e where e.dag_run_id = r.id and e.reason = 'cancelled')
     and not exists (select from task_attempt a where a.dag_run_id = r.id and a.revoked = 'cancelled')`,
    [piece.spec.dagId],
  );
  const problems: string[] = [];
  for (const run of runs.rows) {
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
