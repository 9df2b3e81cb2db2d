/** A canvas with nodes and edges: pan, zoom, fit; a small map where the graph is large. Nothing can be moved about. */
import {
  Background,
  BackgroundVariant,
  Controls,
  type Edge,
  MiniMap,
  type Node,
  type NodeTypes,
  ReactFlow,
} from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import "./flow-canvas.css";

interface Props {
  label: string;
  nodes: Node[];
  edges: Edge[];
  /** One object for the life of the page. */
  nodeTypes: NodeTypes;
  onOpen: (id: string) => void;
  /** Changes when the view should be fitted anew. */
  fitKey: string;
}

const MAP_FROM = 50;
/** Larger graphs are shown in part: what is not seen is not drawn. */
const WHOLE_UP_TO = 400;

export function FlowCanvas({ label, nodes, edges, nodeTypes, onOpen, fitKey }: Props) {
  return (
    <div className="flow" role="group" aria-label={label}>
      <ReactFlow
        key={fitKey}
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        fitView
        fitViewOptions={{ maxZoom: 1, minZoom: nodes.length > WHOLE_UP_TO ? 0.5 : 0.1, padding: 0.08 }}
        minZoom={0.1}
        maxZoom={1.6}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        onlyRenderVisibleElements={nodes.length > MAP_FROM}
        proOptions={{ hideAttribution: true }}
        onNodeClick={(_event, node) => onOpen(node.id)}
      >
        <Background variant={BackgroundVariant.Dots} gap={20} size={1} color="var(--border-strong)" />
        <Controls showInteractive={false} />
        {nodes.length > MAP_FROM && <MiniMap pannable zoomable />}
      </ReactFlow>
    </div>
  );
}
