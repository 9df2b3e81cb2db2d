/** The insights as charts, drawn from the enriched tables as they are now. */
import { useQuery } from "@tanstack/react-query";
import { Empty, ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { insightListQuery } from "../../lib/queries.ts";
import { InsightCard } from "./insight-card.tsx";
import "./dashboards.css";

export function DashboardsPage() {
  const list = useQuery(insightListQuery);
  return (
    <div className="page">
      <h1>Dashboards</h1>
      {list.isError && <ErrorNote error={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending && <Skeleton rows={10} />}
      {list.data?.insights.length === 0 && (
        <Empty title="No insights yet">Charts are drawn here for the enriched tables that DAGs write.</Empty>
      )}
      <div className="insights">
        {list.data?.insights.map((insight) => (
          <InsightCard key={insight.name} summary={insight} />
        ))}
      </div>
    </div>
  );
}
