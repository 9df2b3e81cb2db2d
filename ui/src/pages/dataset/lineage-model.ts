/** Several answers of the lineage API as one graph. */
import type { LineageGraph, LineageNode } from "../../../../src/api/contract.ts";
import type { Box } from "../../flow/layout.ts";

export const DATASET_BOX = { width: 216, height: 58 };
export const JOB_BOX = { width: 170, height: 32 };

/** One graph of several one-hop answers. */
export interface MergedLineage {
  nodes: LineageNode[];
  edges: { source: string; target: string }[];
  truncated: boolean;
}

/** The first answer is the root's; later ones add to it. */
export function mergeLineage(graphs: readonly LineageGraph[]): MergedLineage {
  const nodes = new Map<string, LineageNode>();
  const edges = new Map<string, { source: string; target: string }>();
  for (const graph of graphs) {
    for (const node of graph.nodes) if (!nodes.has(node.id)) nodes.set(node.id, node);
    for (const edge of graph.edges) edges.set(`${edge.source} ${edge.target}`, edge);
  }
  return {
    nodes: [...nodes.values()],
    edges: [...edges.values()].filter((edge) => nodes.has(edge.source) && nodes.has(edge.target)),
    truncated: graphs.some((graph) => graph.truncated),
  };
}

/** Sizes and edges for the layout. */
export function lineageStructure(lineage: MergedLineage): {
  boxes: Box[];
  edges: { source: string; target: string }[];
} {
  const boxes = lineage.nodes.map((node) => ({ id: node.id, ...(node.kind === "dataset" ? DATASET_BOX : JOB_BOX) }));
  return { boxes, edges: lineage.edges };
}
