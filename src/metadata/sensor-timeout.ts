/** How a sensor ends whose timeout comes before what it waits for. */
import type { SensorSpec } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";
import type { FailureReport } from "./work-types.ts";

/** The end of the attempt, as its sensor wants it; `what` is a sentence about the wait. */
export function sensorTimedOut(
  sensor: SensorSpec,
  what: string,
): { state: "skipped"; reason: string } | { state: "failed"; retry: "fatal"; error: FailureReport } {
  if (sensor.onTimeout === "skip") return { state: "skipped", reason: `timed out: ${what}` };
  const { code, message, remedy } = new QflowError("SENSOR_TIMEOUT", what);
  return { state: "failed", retry: "fatal", error: { code, message, remedy } };
}
