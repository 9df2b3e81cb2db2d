/** What the command line and the API use of the scheduler. */

export type { BreakingChange } from "./breaking.ts";
export { holds, planDatasetRuns } from "./dataset-plan.ts";
export { type DeployPlan, planDeploy } from "./deploy-plan.ts";
export type { BrokenFile, CandidateDag, DagChange } from "./deploy-types.ts";
export {
  type DagExplanation,
  explainDag,
  explainRun,
  type RunExplanation,
  type TaskExplanation,
} from "./explain.ts";
export { type FleetDagLoad, type FleetHour, loadByDag, loadByHour } from "./fleet-load.ts";
export { comingRuns, type DueRuns, dueRuns } from "./forecast.ts";
export { type Scheduler, type SchedulerOptions, startScheduler } from "./scheduler.ts";
export { type FleetDag, type Simulation, simulateFleet } from "./simulate-fleet.ts";
export { testWaits } from "./test-waits.ts";
export { timingOf } from "./timing.ts";
export { previewUnpause, type UnpausePreview } from "./unpause.ts";
