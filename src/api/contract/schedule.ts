/** `/api/schedule/{dag_id}`: what a DAG's schedule has in store. */
import { z } from "zod";
import { instant } from "./shared.ts";

const tick = z.object({
  logical_date: instant,
  data_interval_start: instant,
  data_interval_end: instant,
  run_after: instant,
});

export const schedulePreview = z
  .object({
    dag_id: z.string(),
    is_paused: z.boolean(),
    /** What un-pausing does now, or has done for a DAG that is not paused. */
    due: z.object({
      /** Runs it creates; `runs` are the first of them where a clock makes them. */
      created: z.number(),
      runs: z.array(tick),
      /** Queued runs that start. */
      queued: z.number(),
      /** Missed ticks that get no run, by the catchup policy. */
      skipped: z.number(),
    }),
    /** Runs after now. */
    coming: z.array(tick),
  })
  .meta({ id: "SchedulePreview" });

export type SchedulePreview = z.infer<typeof schedulePreview>;
