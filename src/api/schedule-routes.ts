/** `/api/schedule`: which runs a DAG's schedule makes next, and what un-pausing it would do. */
import { z } from "zod";
import type { TimetableRun } from "../dag/timetable.ts";
import { readDueDags } from "../metadata/due-dags.ts";
import { comingRuns, previewUnpause, timingOf } from "../scheduler/index.ts";
import { type SchedulePreview, schedulePreview } from "./contract.ts";
import { route } from "./route.ts";

function tick(run: TimetableRun): SchedulePreview["coming"][number] {
  return {
    logical_date: run.logicalDate.toISOString(),
    data_interval_start: run.interval.start.toISOString(),
    data_interval_end: run.interval.end.toISOString(),
    run_after: run.runAfter.toISOString(),
  };
}

const getOne = route({
  method: "get",
  path: "/api/schedule/:dag_id",
  guard: "viewer",
  summary: "Coming runs of a DAG by the clock, and what un-pausing it would do now.",
  query: z.object({ count: z.coerce.number().int().min(0).max(100).default(5) }),
  response: schedulePreview,
  handle: async ({ api, params, query }): Promise<SchedulePreview> => {
    const { dagId, paused, created, runs, queued, skipped } = await previewUnpause(api.database, params.dag_id);
    const [dag] = await readDueDags(api.database, [dagId]);
    const coming = dag === undefined ? [] : comingRuns(timingOf(dag), query.count);
    return {
      dag_id: dagId,
      is_paused: paused,
      due: { created, runs: runs.map(tick), queued, skipped },
      coming: coming.map(tick),
    };
  },
});

/** Schedules. */
export const scheduleRoutes = [getOne];
