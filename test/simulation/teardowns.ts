/** Whether what setups made was taken away again, also in runs that were cancelled or timed out. */
import { TEARDOWN_RULE } from "../../src/dag/spec.ts";
import { decide } from "../../src/dag/trigger-rules.ts";
import type { Database } from "../../src/metadata/database.ts";
import { endOf, type Piece, setupsOf, type Workload } from "./workload.ts";

/** Teardowns that did not end as the ends of their setups say, in runs that were asked to end once at most. */
export async function wrongTeardowns(database: Database, piece: Piece, workload: Workload): Promise<string[]> {
  const { dagId, timeoutMs } = piece.spec;
  const teardowns = piece.spec.tasks.filter(({ role }) => role === "teardown");
  if (teardowns.length === 0) return [];
  const problems: string[] = [];
  const runs = await database.query<{ run_id: string; states: Record<string, string[]> }>(
    `select run_id, jsonb_object_agg(task_id, states) as states from dag_run r
     join (select dag_run_id, task_id, array_agg(state order by map_index) as states from task_instance group by 1, 2) t on t.dag_run_id = r.id
     where dag_id = $1 group by run_id`,
    [dagId],
  );
  for (const { run_id, states } of runs.rows) {
    const run = `${dagId}/${run_id}`;
    const asked = (workload.cancels.get(run) ?? 0) + (timeoutMs === undefined ? 0 : 1);
    if (asked > 1 || workload.meddledWith.has(run) || workload.declared.has(run)) continue;
    for (const task of teardowns) {
      const ended = new Map(Object.entries(states));
      const setups = setupsOf(task, piece.spec, ended);
      const counts = { total: 1, success: 1, failed: 0, skipped: 0, upstream_failed: 0, skip_requested: false, setups };
      const decision = decide(TEARDOWN_RULE, counts);
      const wanted = decision === "run" ? endOf(piece.behaviours.get(task.taskId) ?? { kind: "succeed" }) : decision;
      const state = ended.get(task.taskId)?.join();
      if (state !== wanted) problems.push(`run ${run}: teardown ${task.taskId} is ${state}, not ${wanted}`);
    }
  }
  return problems;
}
