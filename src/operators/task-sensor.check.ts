/** The check of `taskSensor`. */
import type { z } from "zod";
import { milliseconds } from "../dag/duration.ts";
import { QflowError } from "../errors.ts";
import { type FoundRun, otherRuns } from "../metadata/wait-conditions.ts";
import type { Checked, SensorCheck } from "./check.ts";
import type { OtherRun, taskSensorSchema } from "./task-sensor.ts";

type Condition = { dag: string; task: string | null; logicalDate: string; states: string[]; failOn: string[] };
type Other = { [K in keyof OtherRun]: OtherRun[K] };

export const check: SensorCheck<z.output<typeof taskSensorSchema>, Condition, Other> = {
  looks: "together",
  async prepare(config, given) {
    const base = config.logicalDate === undefined ? given.logicalDate : new Date(config.logicalDate);
    if (base === null)
      throw new QflowError("OPERATOR_CONFIG", "this run has no logical date by which the other run could be found", {
        remedy: "Name the other run's `logicalDate` in the sensor's config.",
      });
    const earlier = config.before === undefined ? 0 : milliseconds(config.before, "before");
    const condition: Condition = {
      dag: config.dag,
      task: config.task ?? null,
      logicalDate: new Date(base.getTime() - earlier).toISOString(),
      states: config.states,
      failOn: config.failOn.filter((state) => !config.states.includes(state)),
    };
    return { condition, key: config.dag, note: `for ${nameOf(condition)} to be ${config.states.join(" or ")}` };
  },
  async look(waits, { database }) {
    const found = await otherRuns(
      database,
      waits.map(({ condition }) => condition),
    );
    return waits.map(({ condition }, i) => judge(condition, found[i] ?? null));
  },
};

function nameOf({ dag, task, logicalDate }: Condition): string {
  return `${task === null ? "the run" : `task ${task}`} of ${dag} at ${logicalDate}`;
}

function judge(condition: Condition, run: FoundRun | null): Checked<Other> {
  const name = nameOf(condition);
  if (run === null) return { state: "unmet", note: `there is no run of ${condition.dag} at ${condition.logicalDate}` };
  const states = condition.task === null ? [run.state] : run.taskStates;
  const [bad] = states.filter((state) => condition.failOn.includes(state));
  if (bad !== undefined)
    return { state: "failed", error: new QflowError("SENSOR_FAILED", `${name} (run ${run.runId}) is ${bad}`) };
  if (states.length > 0 && states.every((state) => condition.states.includes(state)))
    return { state: "met", value: { dagId: condition.dag, runId: run.runId, state: states[0] as string } };
  if (states.length === 0) return { state: "unmet", note: `run ${run.runId} has no task ${condition.task}` };
  return { state: "unmet", note: `${name} (run ${run.runId}) is ${[...new Set(states)].join(", ")}` };
}
