/** `taskSensor`: waits for a run, or a task, of another DAG. */
import { z } from "zod";
import { defineSensor } from "../dag/define-operator.ts";
import { durationSchema, instantSchema } from "./duration-schema.ts";

/** States that can be waited for; a run has only `success` and `failed`. */
const state = z.enum(["success", "failed", "skipped", "upstream_failed"]);

/** Config of {@link taskSensor}. */
export const taskSensorSchema = z.strictObject({
  dag: z.string().min(1),
  /** Task of that DAG; the whole run unless set. A mapped task counts when all its instances do. */
  task: z.string().min(1).optional(),
  /** Logical date of the other run; that of this run unless set. */
  logicalDate: instantSchema.optional(),
  /** The other run is so much earlier than that. */
  before: durationSchema.optional(),
  /** Met in one of these states. */
  states: z.array(state).min(1).default(["success"]),
  /** Fails at once in one of these, unless it is one of `states`. */
  failOn: z.array(state).default(["failed", "upstream_failed"]),
});

/** What was waited for: the XCom of {@link taskSensor}. */
export interface OtherRun {
  dagId: string;
  runId: string;
  /** Of the run, or of the task. */
  state: string;
}

/** Waits until another DAG's run, or a task of it, ends in a state. See docs/operators/task-sensor.md. */
export const taskSensor = defineSensor<OtherRun, typeof taskSensorSchema>("task_sensor", taskSensorSchema);
