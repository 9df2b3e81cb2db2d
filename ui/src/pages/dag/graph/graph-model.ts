/** From tasks to the nodes and edges of the graph: task cards, and dataset pills at the borders. */
import type { GridTask } from "../../../../../src/api/contract.ts";
import type { Box } from "../../../flow/layout.ts";

export const CARD = { width: 184, height: 60 };
export const PILL = { width: 172, height: 28 };

/** Structure only; states are laid over it. */
export interface GraphStructure {
  boxes: Box[];
  edges: { source: string; target: string }[];
}

export const datasetNode = (id: string) => `dataset:${id}`;

/**
 * A dataset that one task writes and a later one reads stands between them once: drawn behind its writer,
 * and not again before its readers, since the edge of the tasks already says it.
 */
export function graphStructure(tasks: readonly GridTask[]): GraphStructure {
  const shown = tasks.filter((task) => task.in_latest);
  const ids = new Set(shown.map((task) => task.task_id));
  const written = new Set(shown.flatMap((task) => task.emits));
  const boxes: Box[] = shown.map((task) => ({ id: task.task_id, ...CARD }));
  const edges = shown.flatMap((task) =>
    task.upstream.filter((id) => ids.has(id)).map((source) => ({ source, target: task.task_id })),
  );
  const read = new Set(shown.flatMap((task) => task.reads).filter((id) => !written.has(id)));
  for (const id of [...read, ...written]) boxes.push({ id: datasetNode(id), ...PILL });
  for (const task of shown) {
    for (const id of task.reads) if (read.has(id)) edges.push({ source: datasetNode(id), target: task.task_id });
    for (const id of task.emits) edges.push({ source: task.task_id, target: datasetNode(id) });
  }
  return { boxes, edges };
}
