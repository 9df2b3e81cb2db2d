/** `datasetSensor`: waits for an event of a dataset. */
import { z } from "zod";
import { defineSensor } from "../dag/define-operator.ts";
import type { Json } from "../dag/spec.ts";
import { instantSchema } from "./duration-schema.ts";

/** Config of {@link datasetSensor}. */
export const datasetSensorSchema = z.strictObject({
  /** Id of the dataset. */
  dataset: z.string().min(1),
  /** Events from this instant on count (`t.run.intervalStart`); those since the run was made unless set. */
  since: instantSchema.optional(),
});

/** The event that was waited for: the XCom of {@link datasetSensor}. */
export interface SeenEvent {
  dataset: string;
  key: string;
  /** ISO 8601 in UTC. */
  at: string;
  extra: Json;
}

/** Waits for the first event of a dataset since an instant; the event wakes it. See docs/operators/dataset-sensor.md. */
export const datasetSensor = defineSensor<SeenEvent, typeof datasetSensorSchema>(
  "dataset_sensor",
  datasetSensorSchema,
  {
    reads: (config) => [config.dataset],
  },
);
