/** The DAG as a graph, with the states of one run laid over it. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import type { Edge } from "@xyflow/react";
import { useMemo } from "react";
import { ErrorNote, Skeleton } from "../../../components/feedback.tsx";
import { StateBadge } from "../../../components/state-mark.tsx";
import { FlowCanvas } from "../../../flow/flow-canvas.tsx";
import { layered, structureKey } from "../../../flow/layout.ts";
import { gridQuery } from "../../../lib/queries.ts";
import { type GridColumn, type GridModel, gridModel } from "../grid/grid-model.ts";
import { datasetNode, graphStructure } from "./graph-model.ts";
import { RunChooser } from "./run-chooser.tsx";
import { type DatasetNodeType, GRAPH_NODE_TYPES, type TaskNodeType } from "./task-node.tsx";
import "./graph-tab.css";

const route = getRouteApi("/dags/$dagId");

export function GraphTab() {
  const { dagId } = route.useParams();
  const { run, task } = route.useSearch();
  const navigate = useNavigate();
  const grid = useInfiniteQuery(gridQuery(dagId));
  const model = useMemo(() => gridModel(grid.data?.pages ?? []), [grid.data]);
  const column = model.columns.find((entry) => entry.run.dag_run_id === run) ?? model.columns.at(-1) ?? null;
  const { nodes, edges, key } = useGraph(model, column, task);
  if (grid.isError) return <ErrorNote error={grid.error} onRetry={() => void grid.refetch()} />;
  if (grid.isPending) return <Skeleton rows={10} />;
  const shownRun = column?.run.dag_run_id;
  const open = (id: string) => {
    const dataset = id.startsWith("dataset:") ? id.slice("dataset:".length) : null;
    if (dataset !== null) void navigate({ to: "/datasets/$datasetId", params: { datasetId: dataset } });
    else if (shownRun !== undefined) void navigate({ to: ".", search: { run: shownRun, task: id } });
  };
  return (
    <section className="graph-tab">
      <div className="row wrap">
        <RunChooser
          columns={model.columns}
          chosen={shownRun ?? null}
          onChoose={(next) => void navigate({ to: ".", search: { run: next }, replace: true })}
        />
        {column ? <StateBadge state={column.run.state} /> : <span className="muted">No runs yet: the plan only</span>}
      </div>
      <FlowCanvas
        label={`Graph of ${dagId}`}
        nodes={nodes}
        edges={edges}
        nodeTypes={GRAPH_NODE_TYPES}
        onOpen={open}
        fitKey={key}
      />
    </section>
  );
}

function useGraph(model: GridModel, column: GridColumn | null, selected: string | undefined) {
  const structure = useMemo(() => graphStructure(model.tasks), [model.tasks]);
  const key = structureKey(structure.boxes, structure.edges);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says everything a layout depends on
  const positions = useMemo(() => layered(structure.boxes, structure.edges), [key]);
  const nodes = useMemo(() => {
    const tasks = new Map(model.tasks.map((entry) => [entry.task_id, entry]));
    return structure.boxes.map((box): TaskNodeType | DatasetNodeType => {
      const place = {
        id: box.id,
        position: positions.get(box.id) ?? { x: 0, y: 0 },
        width: box.width,
        height: box.height,
      };
      const task = tasks.get(box.id);
      if (!task) return { ...place, type: "dataset", data: { id: box.id.slice(datasetNode("").length) } };
      const mark = box.id === selected ? ("selected" as const) : ("none" as const);
      return { ...place, type: "task", data: { task, cell: column?.cells.get(box.id) ?? null, mark } };
    });
  }, [structure, positions, model.tasks, column, selected]);
  const edges = useMemo(
    () => structure.edges.map((edge): Edge => ({ id: `${edge.source}→${edge.target}`, ...edge })),
    [structure],
  );
  return { nodes, edges, key };
}
