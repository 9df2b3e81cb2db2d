/** What other rooms use of the worker. */
export { runWorker } from "./main.ts";
export { type RunArguments, type TestRun, type TestRunOptions, testDagFile, testDeclaredDag } from "./test-run.ts";
export { type StopMode, startWorker, type Worker, type WorkerOptions } from "./worker.ts";
