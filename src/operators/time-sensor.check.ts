/** The check of `timeSensor`. */
import type { z } from "zod";
import { milliseconds } from "../dag/duration.ts";
import type { SensorCheck } from "./check.ts";
import type { timeSensorSchema } from "./time-sensor.ts";

type Condition = { until: string };

export const check: SensorCheck<z.output<typeof timeSensorSchema>, Condition, Condition> = {
  looks: "together",
  async prepare(config) {
    const later = config.plus === undefined ? 0 : milliseconds(config.plus, "plus");
    const until = new Date(Date.parse(config.at) + later);
    const condition = { until: until.toISOString() };
    return { condition, checkAt: until, note: `until ${condition.until}` };
  },
  async look(waits) {
    return waits.map(({ condition, at }) =>
      Date.parse(condition.until) <= at.getTime()
        ? { state: "met", value: condition }
        : { state: "unmet", note: `until ${condition.until}` },
    );
  },
};
