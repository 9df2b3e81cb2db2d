/** Positions of a graph's nodes, layered left to right. The same structure always gives the same positions. */
import { graphlib, layout } from "@dagrejs/dagre";
import { ranked } from "./ranked-layout.ts";

/** A node's size in pixels. */
export interface Box {
  id: string;
  width: number;
  height: number;
}

/** Top left corner of each node. */
export type Positions = ReadonlyMap<string, { x: number; y: number }>;

/** Keeping edges apart takes seconds from about here on. */
const LARGE = 150;

export function layered(boxes: readonly Box[], edges: readonly { source: string; target: string }[]): Positions {
  if (boxes.length > LARGE) return ranked(boxes, edges);
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 36, edgesep: 12, marginx: 16, marginy: 16 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const box of boxes) graph.setNode(box.id, { width: box.width, height: box.height });
  for (const edge of edges) graph.setEdge(edge.source, edge.target);
  layout(graph);
  return new Map(
    boxes.map((box) => {
      const { x, y } = graph.node(box.id) as { x: number; y: number };
      return [box.id, { x: x - box.width / 2, y: y - box.height / 2 }];
    }),
  );
}

/** Equal for two graphs with the same nodes and edges, whatever their states. */
export function structureKey(boxes: readonly Box[], edges: readonly { source: string; target: string }[]): string {
  return JSON.stringify([boxes.map((box) => [box.id, box.height]), edges.map((edge) => [edge.source, edge.target])]);
}
