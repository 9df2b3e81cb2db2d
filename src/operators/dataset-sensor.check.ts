/** The check of `datasetSensor`. */
import type { z } from "zod";
import { eventBefore, firstEvents } from "../metadata/wait-conditions.ts";
import type { SensorCheck } from "./check.ts";
import type { datasetSensorSchema, SeenEvent } from "./dataset-sensor.ts";

/** Events with a higher id count. */
type Condition = { dataset: string; after: number };
type Seen = { [K in keyof SeenEvent]: SeenEvent[K] };

export const check: SensorCheck<z.output<typeof datasetSensorSchema>, Condition, Seen> = {
  looks: "together",
  async prepare({ dataset, since }, given, { database }) {
    const from = since === undefined ? given.runCreatedAt : new Date(since);
    const after = await eventBefore(database, dataset, from);
    return {
      condition: { dataset, after },
      key: dataset,
      note: `for an event of ${dataset} since ${from.toISOString()}`,
    };
  },
  async look(waits, { database }) {
    const events = await firstEvents(
      database,
      waits.map(({ condition }) => condition),
    );
    return events.map((event, i) =>
      event
        ? { state: "met", value: event }
        : { state: "unmet", note: `no event of ${waits[i]?.condition.dataset} yet`, next: "wake" },
    );
  },
};
