/**
 * Positions of a large graph's nodes: columns by longest path, each in the order of the middle of what leads to its nodes. Its cost
 * grows with the number of nodes and edges, while a layout that keeps edges apart takes minutes for a thousand nodes.
 */
import type { Box, Positions } from "./layout.ts";

const GAP = { column: 60, row: 14, margin: 16 };

/** The same structure always gives the same positions. Nodes on a cycle, if there is one, stand where it was entered. */
export function ranked(boxes: readonly Box[], edges: readonly { source: string; target: string }[]): Positions {
  const known = new Set(boxes.map((box) => box.id));
  const wired = edges.filter((edge) => known.has(edge.source) && known.has(edge.target));
  const before = Map.groupBy(wired, (edge) => edge.target);
  const columns = Map.groupBy(boxes, ranksOf(boxes, wired));
  const positions = new Map<string, { x: number; y: number }>();
  let x = GAP.margin;
  for (const rank of [...columns.keys()].toSorted((a, b) => a - b)) {
    const column = (columns.get(rank) ?? []).map((box) => ({ box, middle: middleOf(before.get(box.id), positions) }));
    let y = GAP.margin;
    for (const { box } of column.toSorted((a, b) => a.middle - b.middle)) {
      positions.set(box.id, { x, y });
      y += box.height + GAP.row;
    }
    x += Math.max(...column.map(({ box }) => box.width)) + GAP.column;
  }
  return positions;
}

function middleOf(into: readonly { source: string }[] | undefined, positions: Positions): number {
  const placed = (into ?? []).flatMap(({ source }) => positions.get(source)?.y ?? []);
  return placed.length === 0 ? 0 : placed.reduce((sum, y) => sum + y, 0) / placed.length;
}

/** Length of the longest path to each node. */
function ranksOf(boxes: readonly Box[], edges: readonly { source: string; target: string }[]): (box: Box) => number {
  const after = Map.groupBy(edges, (edge) => edge.source);
  const open = new Map<string, number>();
  for (const { target } of edges) open.set(target, (open.get(target) ?? 0) + 1);
  const ranks = new Map<string, number>();
  const ready = boxes.filter((box) => !open.has(box.id)).map((box) => box.id);
  for (const id of ready) {
    for (const { target } of after.get(id) ?? []) {
      ranks.set(target, Math.max(ranks.get(target) ?? 0, (ranks.get(id) ?? 0) + 1));
      const left = (open.get(target) ?? 0) - 1;
      open.set(target, left);
      if (left === 0) ready.push(target);
    }
  }
  return (box) => ranks.get(box.id) ?? 0;
}
