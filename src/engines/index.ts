/** The embedded engines of a fresh machine. */

export { feedFolder } from "./environment.ts";
export { ENGINE_NAMES, type EngineName } from "./home.ts";
export { type Installation, installEngines } from "./install.ts";
export { type Progress, type ProgressBar, progressOn } from "./progress.ts";
export { type RunningEngines, type StartOptions, startEngines } from "./start.ts";
export { type EngineStatus, type EnginesStatus, engineStatus, runningEnvironment, stopEngines } from "./status.ts";
export type { EngineEvent } from "./supervise.ts";
