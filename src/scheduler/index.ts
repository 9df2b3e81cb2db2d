/** What the command line uses of the scheduler. */
export { planDatasetRuns } from "./dataset-plan.ts";
export { type Scheduler, type SchedulerOptions, startScheduler } from "./scheduler.ts";
