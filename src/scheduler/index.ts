/** What the command line starts. */
export { type Scheduler, type SchedulerOptions, startScheduler } from "./scheduler.ts";
