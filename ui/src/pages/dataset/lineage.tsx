/** Where a dataset comes from and goes to: one hop first, more on request. */
import { useQueries } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import type { LineageGraph } from "../../../../src/api/contract.ts";
import { Empty, ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { FlowCanvas } from "../../flow/flow-canvas.tsx";
import { layered, structureKey } from "../../flow/layout.ts";
import { lineageQuery } from "../../lib/queries.ts";
import { lineageStructure, mergeLineage } from "./lineage-model.ts";
import { LINEAGE_NODE_TYPES, type LineageNodeType } from "./lineage-node.tsx";

export default function Lineage({ datasetId }: { datasetId: string }) {
  const navigate = useNavigate();
  const [expanded, setExpanded] = useState<readonly string[]>([`dataset:${datasetId}`]);
  const answers = useQueries({ queries: expanded.map((node) => lineageQuery(node)) });
  const graphs = answers.flatMap((answer): LineageGraph[] => (answer.data ? [answer.data] : []));
  // The answers are new objects in every render; what they hold is told by when they came.
  const version = answers.map((answer) => answer.dataUpdatedAt).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  const merged = useMemo(() => mergeLineage(graphs), [version]);
  const { boxes, edges } = lineageStructure(merged);
  const key = structureKey(boxes, edges);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says everything a layout depends on
  const positions = useMemo(() => layered(boxes, edges), [key]);
  const failed = answers.find((answer) => answer.isError);
  if (failed) return <ErrorNote error={failed.error} onRetry={() => void failed.refetch()} />;
  if (graphs.length === 0) return <Skeleton rows={8} />;
  if (merged.nodes.length <= 1) {
    return (
      <Empty title="No lineage yet">
        A run that reads or writes this dataset tells where it came from; Spark tasks do so by themselves.
      </Empty>
    );
  }
  const nodes = merged.nodes.map((node): LineageNodeType => {
    const box = boxes.find((entry) => entry.id === node.id);
    return {
      id: node.id,
      type: "lineage",
      position: positions.get(node.id) ?? { x: 0, y: 0 },
      width: box?.width ?? 0,
      height: box?.height ?? 0,
      data: {
        node,
        mark: node.id === `dataset:${datasetId}` ? "root" : "none",
        isExpanded: expanded.includes(node.id),
        onExpand: () => setExpanded([...expanded, node.id]),
      },
    };
  });
  const open = (id: string) => {
    const node = merged.nodes.find((entry) => entry.id === id);
    if (node?.kind === "dataset") {
      void navigate({ to: "/datasets/$datasetId", params: { datasetId: node.name }, search: { view: "lineage" } });
    } else if (node?.dag_id) void navigate({ to: "/dags/$dagId/graph", params: { dagId: node.dag_id } });
    else if (node?.service_id) void navigate({ to: "/services/$serviceId", params: { serviceId: node.service_id } });
  };
  return (
    <section className="lineage">
      {merged.truncated && <p className="muted">More than can be shown: expand towards what you look for.</p>}
      <FlowCanvas
        label={`Lineage of ${datasetId}`}
        nodes={nodes}
        edges={edges.map((edge) => ({ id: `${edge.source}→${edge.target}`, ...edge }))}
        nodeTypes={LINEAGE_NODE_TYPES}
        onOpen={open}
        fitKey={key}
      />
    </section>
  );
}
