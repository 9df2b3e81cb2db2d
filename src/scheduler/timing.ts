/** From what the database knows of a DAG to what its schedule is planned from. */
import type { ClockSchedule } from "../dag/timetable.ts";
import type { DueDag } from "../metadata/due-dags.ts";
import type { RecentRuns, Timing } from "./plan.ts";

/** What its schedule is planned from. The DAG has one by the clock. */
export function timingOf(dag: DueDag): Timing {
  const { spec } = dag;
  return {
    schedule: spec.schedule as ClockSchedule,
    start: spec.start === null ? dag.createdAt : new Date(spec.start),
    end: spec.end === null ? null : new Date(spec.end),
    catchup: spec.catchup,
    settledUntil: dag.settledUntil,
    recent: recentOf(dag),
    now: dag.now,
  };
}

function recentOf({ recent }: DueDag): RecentRuns {
  const runs = recent ?? [];
  const sound = runs.findIndex(({ state }) => state !== "failed");
  const newest = runs[0];
  return { startedAt: newest ? new Date(newest.at) : null, failures: sound === -1 ? runs.length : sound };
}
