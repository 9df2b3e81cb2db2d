/** A dataset or a job in the lineage graph. */
import { Handle, type Node, type NodeProps, Position } from "@xyflow/react";
import type { LineageNode as LineageFacts } from "../../../../src/api/contract.ts";
import { Freshness } from "../../components/freshness.tsx";
import { Icon } from "../../components/icon.tsx";
import { count } from "../../lib/format.ts";
import { PiiPill } from "../datasets/dataset-columns.tsx";
import "./lineage.css";

export type LineageNodeType = Node<
  { node: LineageFacts; mark: "root" | "none"; isExpanded: boolean; onExpand: () => void },
  "lineage"
>;

function LineageNode({ data }: NodeProps<LineageNodeType>) {
  const { node, mark, isExpanded, onExpand } = data;
  const hasMore = !isExpanded && node.kind === "dataset" && (node.more_upstream || node.more_downstream);
  return (
    <div
      className={`flow-node lineage-${node.kind}`}
      data-mark={mark === "root" ? "selected" : undefined}
      title={node.name}
    >
      <Handle type="target" position={Position.Left} />
      <div className="row">
        {node.kind === "job" && <Icon name="play" size={12} />}
        <span className="ellipsis grow lineage-name">{node.name}</span>
        {node.has_pii && <PiiPill />}
      </div>
      {node.kind === "dataset" && (
        <div className="row small muted">
          <span>{node.layer}</span>
          {node.row_count !== null && <span>{count(node.row_count)} rows</span>}
          <span className="grow right">{node.freshness && <Freshness freshness={node.freshness} />}</span>
        </div>
      )}
      {hasMore && (
        <button
          type="button"
          className={`lineage-more nodrag ${node.distance < 0 ? "left" : "right"}`}
          aria-label={`Show what is beyond ${node.name}`}
          title="Show more"
          onClick={(event) => {
            event.stopPropagation();
            onExpand();
          }}
        >
          <Icon name="plus" size={12} />
        </button>
      )}
      <Handle type="source" position={Position.Right} />
    </div>
  );
}

export const LINEAGE_NODE_TYPES = { lineage: LineageNode };
