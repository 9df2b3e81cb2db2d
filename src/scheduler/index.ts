/** What the command line and the API use of the scheduler. */
export { holds, planDatasetRuns } from "./dataset-plan.ts";
export { comingRuns, type DueRuns, dueRuns } from "./forecast.ts";
export { type Scheduler, type SchedulerOptions, startScheduler } from "./scheduler.ts";
export { timingOf } from "./timing.ts";
export { startWaits, type Waits } from "./waits.ts";
export { previewUnpause, type UnpausePreview } from "./unpause.ts";
