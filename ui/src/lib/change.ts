/** What a change on the server makes old. */
import type { ChangeEvent } from "../../../src/api/contract.ts";

/** Nothing changed. */
export const NO_CHANGE: ChangeEvent = { runs: [], dags: [], datasets: [] };

/** Whether a change makes what was read under `key` old. */
export function isAffected(key: readonly unknown[], change: ChangeEvent): boolean {
  const [kind, id, part, run] = key;
  if (kind === "overview" || kind === "dags") return change.runs.length > 0 || change.dags.length > 0;
  if (kind === "dag") {
    if (part === "run") return change.runs.some((entry) => entry.dag_id === id && entry.dag_run_id === run);
    return change.dags.includes(String(id)) || change.runs.some((entry) => entry.dag_id === id);
  }
  // Files move from state to state while a run goes.
  if (kind === "files") return change.datasets.length > 0 || change.runs.length > 0;
  if (kind === "datasets" || kind === "lineage") return change.datasets.length > 0;
  if (kind === "dataset" || kind === "insight") return change.datasets.includes(String(id));
  return false;
}

/** Both changes in one. */
export function merge(a: ChangeEvent, b: ChangeEvent): ChangeEvent {
  return { runs: [...a.runs, ...b.runs], dags: [...a.dags, ...b.dags], datasets: [...a.datasets, ...b.datasets] };
}
