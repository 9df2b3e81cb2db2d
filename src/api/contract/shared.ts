/** Shapes that several endpoints share. Everything on the wire is snake_case JSON; instants are ISO 8601 in UTC. */
import { z } from "zod";

/** States of a task instance, Airflow's words. */
export const TASK_STATES = [
  "none",
  "scheduled",
  "queued",
  "running",
  "success",
  "failed",
  "up_for_retry",
  "up_for_reschedule",
  "deferred",
  "skipped",
  "upstream_failed",
  "removed",
] as const;

/** States of a DAG run, Airflow's words. */
export const RUN_STATES = ["queued", "running", "success", "failed"] as const;

export const taskState = z.enum(TASK_STATES).meta({ id: "TaskInstanceState" });
export const runState = z.enum(RUN_STATES).meta({ id: "DagRunState" });

/** An ISO 8601 instant, UTC. */
export const instant = z.string().meta({ format: "date-time" });

/** Any JSON value. */
export const json = z.unknown();

/** What every failed request answers. Airflow's `detail`, with qflow's code and remedy beside it. */
export const apiError = z
  .object({
    detail: z.string(),
    code: z.string(),
    remedy: z.string(),
    /** Facts for machines, e.g. the issues of an invalid body. */
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: "Error" });

/** A state of a task instance. */
export type TaskState = z.infer<typeof taskState>;
/** A state of a DAG run. */
export type RunState = z.infer<typeof runState>;
/** Body of every failed request. */
export type ApiError = z.infer<typeof apiError>;
