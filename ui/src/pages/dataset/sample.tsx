/** A few rows; personal data is hidden. */
import { useQuery } from "@tanstack/react-query";
import { Empty, ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { ResultTable } from "../../components/result-table.tsx";
import { sampleQuery } from "../../lib/queries.ts";

export function Sample({ datasetId }: { datasetId: string }) {
  const sample = useQuery(sampleQuery(datasetId));
  if (sample.isError) return <ErrorNote error={sample.error} onRetry={() => void sample.refetch()} />;
  if (sample.isPending) return <Skeleton rows={8} />;
  const { columns, rows, masked } = sample.data;
  if (rows.length === 0) return <Empty title="No rows" />;
  return (
    <section className="fill">
      {masked.length > 0 && <p className="muted">Hidden from you as personal data: {masked.join(", ")}.</p>}
      <ResultTable label="Sample" columns={columns.map((name) => ({ name, type: "" }))} rows={rows} />
    </section>
  );
}
