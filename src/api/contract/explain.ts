/** `/api/explain/…`: why something has not started, and when it will. */
import { z } from "zod";
import { REASON_CODES } from "../../scheduler/explain-reasons.ts";
import { instant, taskState } from "./shared.ts";

const reason = z
  .object({
    code: z.enum(REASON_CODES),
    /** One sentence. */
    message: z.string(),
    /** When that is over, where it is known. */
    at: instant.nullable(),
    details: z.record(z.string(), z.unknown()),
  })
  .meta({ id: "Reason" });

/** `GET /api/explain/dags/{dag_id}`. */
export const dagExplanation = z
  .object({ dag_id: z.string(), summary: z.string(), reasons: z.array(reason) })
  .meta({ id: "DagExplanation" });

const taskExplanation = z
  .object({
    task_id: z.string(),
    /** -1 where the task is not mapped; of several instances the first. */
    map_index: z.number(),
    state: taskState,
    /** Mapped instances of the task in this state. */
    count: z.number(),
    reasons: z.array(reason),
  })
  .meta({ id: "TaskExplanation" });

/** `GET /api/explain/dags/{dag_id}/runs/{run_id}?task_id=&map_index=`. */
export const runExplanation = z
  .object({
    dag_id: z.string(),
    run_id: z.string(),
    state: z.string(),
    summary: z.string(),
    reasons: z.array(reason),
    tasks: z.array(taskExplanation),
  })
  .meta({ id: "RunExplanation" });

/** One thing that holds something back. */
export type Reason = z.infer<typeof reason>;
/** Answer about a DAG. */
export type DagExplanation = z.infer<typeof dagExplanation>;
/** Answer about a run. */
export type RunExplanation = z.infer<typeof runExplanation>;
