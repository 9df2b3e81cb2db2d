/** Runner side: from a bundle on disk to the functions in it. */
import { pathToFileURL } from "node:url";
import { QflowError } from "../errors.ts";
import { dagsIn, type TaskFunction } from "./dag.ts";
import { resolveFromInstallation } from "./installation.ts";

export type { TaskFunction } from "./dag.ts";

/**
 * Loads a bundle (an ES module written by {@link ./bundle.ts}) and answers the function of a task.
 * What the function is called with: `(inputs, ctx)`, and for a map `(item, ctx)`. Operators have none.
 * The bundle may lie anywhere; `qflow` in it is the running installation. Throws whatever the bundle throws, and
 * DAG_LOAD_FAILED for a task that the bundle does not hold.
 */
export async function loadTasks(bundlePath: string): Promise<(dagId: string, taskId: string) => TaskFunction> {
  resolveFromInstallation();
  // Stack traces in task logs then name the author's lines.
  process.setSourceMapsEnabled(true);
  const exports = (await import(pathToFileURL(bundlePath).href)) as Record<string, unknown>;
  const dags = new Map(dagsIn(exports).map((dag) => [dag.id, dag]));
  return (dagId, taskId) => {
    const fn = dags.get(dagId)?.functions.get(taskId);
    if (fn !== undefined) return fn;
    throw new QflowError("DAG_LOAD_FAILED", `bundle ${bundlePath} holds no function for task ${taskId} of ${dagId}`, {
      remedy: "Reload the DAG file; a run keeps the version it was created with.",
    });
  };
}
