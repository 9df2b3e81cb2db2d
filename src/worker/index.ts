/** What other rooms use of the worker. */
export { runWorker } from "./main.ts";
export { type StopMode, startWorker, type Worker, type WorkerOptions } from "./worker.ts";
