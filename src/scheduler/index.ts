/** What the command line and the API use of the scheduler. */

export { planDatasetRuns } from "./dataset-plan.ts";
export { type DeployPlan, planDeploy } from "./deploy-plan.ts";
export type { DagChange } from "./deploy-types.ts";
export {
  type DagExplanation,
  explainDag,
  explainRun,
  type RunExplanation,
  type TaskExplanation,
} from "./explain.ts";
export { type FleetDagLoad, type FleetHour, loadByDag, loadByHour } from "./fleet-load.ts";
export { comingRuns } from "./forecast.ts";
export { type Scheduler, type SchedulerOptions, startScheduler } from "./scheduler.ts";
export { type Simulation, simulateFleet } from "./simulate-fleet.ts";
export { testWaits } from "./test-waits.ts";
export { timingOf } from "./timing.ts";
export { previewUnpause, type UnpausePreview } from "./unpause.ts";
