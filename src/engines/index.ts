/** The embedded engines of a fresh machine. */

export { feedFolder } from "./environment.ts";
export { writePrivate } from "./files.ts";
export { ENGINE_GROUPS, enginesFor, lakeEngines } from "./groups.ts";
export { CORE_ENGINES, ENGINE_NAMES, type EngineName, readHome } from "./home.ts";
export type { Installation } from "./install.ts";
export { installFor } from "./install-for.ts";
export { type Progress, type ProgressBar, progressOn } from "./progress.ts";
export { type RunningEngines, type StartOptions, startEngines } from "./start.ts";
export { type EngineStatus, type EnginesStatus, engineStatus, runningEnvironment, stopEngines } from "./status.ts";
export type { EngineEvent } from "./supervise.ts";
