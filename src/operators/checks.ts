/** Which check module decides about which sensor. Only the scheduler loads them. */
import type { z } from "zod";
import type { Json } from "../dag/spec.ts";
import { resolveTokens } from "../dag/tokens.ts";
import { QflowError } from "../errors.ts";
import type { WaitGiven } from "../metadata/waits.ts";
import { approvalSchema } from "./approval.ts";
import type { CheckContext, Prepared, SensorCheck } from "./check.ts";
import { datasetSensorSchema } from "./dataset-sensor.ts";
import { fileSensorSchema } from "./file-sensor.ts";
import { httpSensorSchema } from "./http-sensor.ts";
import { kafkaSensorSchema } from "./kafka-sensor.ts";
import { taskSensorSchema } from "./task-sensor.ts";
import { timeSensorSchema } from "./time-sensor.ts";

/** A sensor ready to be checked: resolves and checks its config, then makes the condition. */
export interface ReadyCheck extends Pick<SensorCheck<never, Json, Json>, "look" | "looks"> {
  prepare(given: WaitGiven, context: CheckContext): Promise<Prepared<Json>>;
}

const CHECKS = new Map<string, () => Promise<ReadyCheck>>([
  ["approval", async () => ready(approvalSchema, (await import("./approval.check.ts")).check)],
  ["dataset_sensor", async () => ready(datasetSensorSchema, (await import("./dataset-sensor.check.ts")).check)],
  ["file_sensor", async () => ready(fileSensorSchema, (await import("./file-sensor.check.ts")).check)],
  ["http_sensor", async () => ready(httpSensorSchema, (await import("./http-sensor.check.ts")).check)],
  ["kafka_sensor", async () => ready(kafkaSensorSchema, (await import("./kafka-sensor.check.ts")).check)],
  ["task_sensor", async () => ready(taskSensorSchema, (await import("./task-sensor.check.ts")).check)],
  ["time_sensor", async () => ready(timeSensorSchema, (await import("./time-sensor.check.ts")).check)],
]);

/** Loads a sensor's check module by its registered name. Throws OPERATOR_UNKNOWN. */
export async function loadCheck(name: string): Promise<ReadyCheck> {
  const load = CHECKS.get(name);
  if (load === undefined) throw new QflowError("OPERATOR_UNKNOWN", `there is no sensor ${name}`);
  return load();
}

function ready<S extends z.ZodType, C extends Json, R extends Json>(
  schema: S,
  check: SensorCheck<z.output<S>, C, R>,
): ReadyCheck {
  return {
    looks: check.looks,
    prepare: async (given, context) => {
      const parsed = schema.safeParse(resolveTokens(given.config, given.values));
      if (parsed.success) return check.prepare(parsed.data, given, context);
      const issue = parsed.error.issues[0];
      throw new QflowError("OPERATOR_CONFIG", `config ${issue?.path.join(".")}: ${issue?.message}`);
    },
    // A condition comes back as `prepare` made it.
    look: check.look as ReadyCheck["look"],
  };
}
