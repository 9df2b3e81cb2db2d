/** `timeSensor`: waits until an instant. */
import { z } from "zod";
import { defineSensor } from "../dag/define-operator.ts";
import { durationSchema, instantSchema } from "./duration-schema.ts";

/** Config of {@link timeSensor}. */
export const timeSensorSchema = z.strictObject({
  /** An instant with its offset, or a reference to one: `t.run.intervalEnd`, `t.run.logicalDate`. */
  at: instantSchema,
  /** So much later than that. */
  plus: durationSchema.optional(),
});

/** When the wait was over: the XCom of {@link timeSensor}. */
export interface TimeReached {
  /** ISO 8601 in UTC. */
  until: string;
}

/** Waits until an instant; one that is past is no wait. See docs/operators/time-sensor.md. */
export const timeSensor = defineSensor<TimeReached, typeof timeSensorSchema>("time_sensor", timeSensorSchema);
