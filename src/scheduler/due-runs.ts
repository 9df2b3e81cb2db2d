/** Creates the runs of clock schedules: exactly one a tick, whoever and how many schedulers look. */
import { checkParams } from "../dag/params.ts";
import type { Database } from "../metadata/database.ts";
import { applyPlans, type DueDag, type DuePlan, lockDueDags } from "../metadata/due-dags.ts";
import { nextTick, plan } from "./plan.ts";
import { timingOf } from "./timing.ts";

/** DAGs handled in one transaction: few, so that workers begin with the first while others are still created. */
const BATCH = 25;

/** What a look at due DAGs did. */
export interface DueReport {
  readonly created: number;
  /** DAGs that could not be planned; they get no runs until they change. */
  readonly refused: readonly { readonly dagId: string; readonly error: unknown }[];
}

/** Handles one batch of due DAGs. `more` = call again. */
export async function createDueRuns(database: Database): Promise<DueReport & { more: boolean }> {
  return database.transaction(async (sql) => {
    const due = await lockDueDags(sql, BATCH);
    if (due.length === 0) return { created: 0, refused: [], more: false };
    const refused: { dagId: string; error: unknown }[] = [];
    const plans = due.map((dag) => {
      try {
        return planOf(dag);
      } catch (error) {
        // A schedule that cannot be computed stops its own DAG and no other.
        refused.push({ dagId: dag.dagId, error });
        return { dagId: dag.dagId, versionId: dag.versionId, run: null, skipped: 0, settledUntil: null, next: null };
      }
    });
    return { created: await applyPlans(sql, plans), refused, more: true };
  });
}

function planOf(dag: DueDag): DuePlan {
  const timing = timingOf(dag);
  const { dagId, versionId } = dag;
  // guard: due-room
  if (dag.paused || dag.room <= 0)
    return { dagId, versionId, run: null, skipped: 0, settledUntil: null, next: nextTick(timing) };
  const { run, skipped, settledUntil, next } = plan(timing);
  const withParams = run && { ...run, params: checkParams(dag.spec, {}) };
  return { dagId, versionId, run: withParams, skipped, settledUntil, next };
}
