/** Backfills, as Airflow 3 shapes them, with qflow's progress beside. */
import { z } from "zod";
import { instant, json } from "./shared.ts";

const reprocessBehavior = z.enum(["none", "failed", "completed"]);

export const backfill = z
  .object({
    id: z.number(),
    dag_id: z.string(),
    dag_display_name: z.string(),
    from_date: instant,
    to_date: instant,
    dag_run_conf: json,
    is_paused: z.boolean(),
    reprocess_behavior: reprocessBehavior,
    run_backwards: z.boolean(),
    max_active_runs: z.number(),
    created_at: instant,
    updated_at: instant,
    completed_at: instant.nullable(),
    /** qflow's addition. */
    state: z.enum(["running", "paused", "completed", "cancelled"]),
    /** qflow's addition: dates, and runs by state. */
    progress: z.object({
      dates: z.number(),
      pending: z.number(),
      left_out: z.number(),
      queued: z.number(),
      running: z.number(),
      success: z.number(),
      failed: z.number(),
    }),
  })
  .meta({ id: "Backfill" });

export const backfillCollection = z
  .object({ backfills: z.array(backfill), total_entries: z.number() })
  .meta({ id: "BackfillCollection" });

const when = z.iso.datetime({ offset: true });

/** `POST /api/v2/backfills` and `…/dry_run`: a period, or (qflow's addition) single `dates`. */
export const backfillBody = z
  .strictObject({
    dag_id: z.string(),
    from_date: when.optional(),
    to_date: when.optional(),
    dates: z.array(when).min(1).max(10_000).optional(),
    run_backwards: z.boolean().default(false),
    dag_run_conf: z.record(z.string(), z.unknown()).nullish(),
    reprocess_behavior: reprocessBehavior.default("none"),
    max_active_runs: z.number().int().min(1).max(10_000).default(10),
    /** Runs are always made of the latest version. */
    run_on_latest_version: z.literal(true).nullish(),
  })
  .refine((body) => (body.dates === undefined) !== (body.from_date === undefined || body.to_date === undefined), {
    message: "give from_date and to_date, or dates",
  })
  .meta({ id: "BackfillPostBody" });

/** What a dry run answers: the runs that would be made, in their order. */
export const dryRunBackfills = z
  .object({ backfills: z.array(z.object({ logical_date: instant })), total_entries: z.number() })
  .meta({ id: "DryRunBackfillCollection" });

export type BackfillShape = z.infer<typeof backfill>;
export type BackfillBody = z.output<typeof backfillBody>;
