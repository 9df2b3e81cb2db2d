/** The task graph: order, neighbours, cycles. */
import { DirectedGraph } from "graphology";
import { forEachNodeInTopologicalOrder, hasCycle } from "graphology-dag";

/** A graph of tasks that has no cycle. */
export interface TaskGraph {
  /** Every task id, an upstream always before its downstreams. */
  readonly order: readonly string[];
  downstreamOf(id: string): string[];
}

/** Builds the graph; answers the ids along a cycle instead where there is one. Every upstream must be one of the ids. */
export function taskGraph(upstream: ReadonlyMap<string, Iterable<string>>): TaskGraph | { cycle: string[] } {
  const graph = new DirectedGraph();
  for (const id of upstream.keys()) graph.addNode(id);
  for (const [id, others] of upstream) for (const other of others) graph.mergeEdge(other, id);
  if (hasCycle(graph)) return { cycle: findCycle(graph) };
  const order: string[] = [];
  forEachNodeInTopologicalOrder(graph, (id) => order.push(id));
  return { order, downstreamOf: (id) => graph.outNeighbors(id) };
}

/** Follows upstreams inside what remains when everything outside of cycles is taken away. */
function findCycle(graph: DirectedGraph): string[] {
  const left = graph.copy();
  for (let before = -1; before !== left.order; ) {
    before = left.order;
    for (const id of left.nodes()) if (left.inDegree(id) === 0 || left.outDegree(id) === 0) left.dropNode(id);
  }
  const path: string[] = [];
  let here = left.nodes()[0] as string;
  while (!path.includes(here)) {
    path.push(here);
    here = left.outNeighbors(here)[0] as string;
  }
  return [...path.slice(path.indexOf(here)), here];
}
