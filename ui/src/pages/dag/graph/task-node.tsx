/** What stands in the graph: a task card, a dataset pill. */
import { Handle, type Node, type NodeProps, Position } from "@xyflow/react";
import type { GridCell, GridTask } from "../../../../../src/api/contract.ts";
import { Icon } from "../../../components/icon.tsx";
import { StateMark } from "../../../components/state-mark.tsx";
import { Took } from "../../../components/time.tsx";
import { lookOf } from "../../../lib/states.ts";
import "./task-node.css";

export type TaskNodeType = Node<{ task: GridTask; cell: GridCell | null; mark: "selected" | "none" }, "task">;
export type DatasetNodeType = Node<{ id: string }, "dataset">;

function TaskNode({ data }: NodeProps<TaskNodeType>) {
  const { task, cell, mark } = data;
  const look = lookOf(cell?.state ?? null);
  return (
    <div className="flow-node task-node" data-state-edge={look.name} data-mark={mark}>
      <Handle type="target" position={Position.Left} />
      <div className="row">
        <span className="ellipsis grow task-node-name" title={task.task_id}>
          {task.task_id}
        </span>
        <StateMark state={cell?.state ?? null} size={13} />
      </div>
      <div className="row small muted">
        <span className="ellipsis grow">
          {task.operator_name}
          {cell?.mapped && ` × ${Object.values(cell.mapped).reduce((sum, amount) => sum + amount, 0)}`}
        </span>
        {cell && cell.try_number > 1 && <span>try {cell.try_number}</span>}
        {cell?.start_date && <Took start={cell.start_date} end={cell.end_date} />}
      </div>
      <Handle type="source" position={Position.Right} />
    </div>
  );
}

function DatasetNode({ data }: NodeProps<DatasetNodeType>) {
  return (
    <div className="flow-node dataset-node" title={data.id}>
      <Handle type="target" position={Position.Left} />
      <Icon name="datasets" size={13} />
      <span className="ellipsis">{data.id}</span>
      <Handle type="source" position={Position.Right} />
    </div>
  );
}

export const GRAPH_NODE_TYPES = { task: TaskNode, dataset: DatasetNode };
