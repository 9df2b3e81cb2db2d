/** A worker as a process of its own: signals, and the end of the process that started it. */
import { createWorker, type WorkerOptions } from "./worker.ts";

/**
 * Runs a worker until it is told to stop: SIGTERM or SIGINT drains, a second one hands everything back at once; so does the end
 * of the parent when this process was started with an IPC channel. `stopWhen` drains, too. Resolves when its session is closed and no child is left.
 */
export async function runWorker(options: WorkerOptions & { stopWhen?: Promise<void> }): Promise<void> {
  const worker = await createWorker(options);
  const stopped = Promise.withResolvers<void>();
  let asked = 0;
  const stop = () => {
    asked++;
    worker.stop(asked === 1 ? "drain" : "now").then(stopped.resolve, stopped.reject);
  };
  const orphaned = () => void worker.stop("now").then(stopped.resolve, stopped.reject);
  void options.stopWhen?.then(stop);
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("disconnect", orphaned);
  // The parent may have gone before there was anybody to hear of it; without a channel this is undefined.
  if (process.connected === false) orphaned();
  try {
    // Who sees its row may tell it to stop at once; then nobody waits for the answer to its registration.
    await Promise.race([worker.start(), stopped.promise]);
    await stopped.promise;
  } finally {
    process.removeListener("SIGTERM", stop);
    process.removeListener("SIGINT", stop);
    process.removeListener("disconnect", orphaned);
  }
}
