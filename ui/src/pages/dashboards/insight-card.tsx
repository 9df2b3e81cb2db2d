/** One insight: chart, what it shows, and the run that wrote it. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import type { Insight, InsightSummary } from "../../../../src/api/contract.ts";
import { Empty, ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { ResultTable } from "../../components/result-table.tsx";
import { RunLink } from "../../components/run-link.tsx";
import { At } from "../../components/time.tsx";
import { insightQuery } from "../../lib/queries.ts";
import { BarChart } from "./bar-chart.tsx";
import { barModel, measuresOf } from "./bar-model.ts";

export function InsightCard({ summary }: { summary: InsightSummary }) {
  const insight = useQuery(insightQuery(summary.name, summary.dataset));
  return (
    <section className="card insight" aria-labelledby={`insight-${summary.name}`}>
      <h2 id={`insight-${summary.name}`}>{summary.title}</h2>
      <p className="muted small">{summary.description}</p>
      <div className="insight-body">
        {insight.isError && <ErrorNote error={insight.error} onRetry={() => void insight.refetch()} />}
        {insight.isPending && <Skeleton rows={8} />}
        {insight.data && <InsightBody insight={insight.data} />}
      </div>
      <footer className="small muted insight-foot">
        {insight.data?.written_by ? (
          <span>
            written by <RunLink run={insight.data.written_by} /> at <At at={insight.data.written_by.at} />
          </span>
        ) : (
          insight.data && <span>not written yet</span>
        )}
        <Link to="/datasets/$datasetId" params={{ datasetId: summary.dataset }}>
          {summary.dataset}
        </Link>
        <Link to="/sql" search={{ q: `select * from ${summary.dataset} limit 100` }}>
          open in SQL
        </Link>
      </footer>
    </section>
  );
}

function InsightBody({ insight }: { insight: Insight }) {
  if (insight.rows.length === 0) {
    return (
      <Empty title="Nothing to show yet">
        {insight.dataset} is empty. It fills when the DAG that writes it has run.
      </Empty>
    );
  }
  if (insight.chart.kind === "table")
    return <ResultTable label={insight.title} columns={insight.columns} rows={insight.rows} />;
  return <MeasuredChart insight={insight} />;
}

function MeasuredChart({ insight }: { insight: Insight }) {
  const measures = useMemo(() => measuresOf(insight), [insight]);
  const [chosen, setChosen] = useState(insight.chart.y);
  const measure = measures.find((entry) => entry.column === chosen) ?? measures[0];
  const model = useMemo(() => barModel(insight, measure?.column ?? insight.chart.y), [insight, measure]);
  return (
    <>
      {measures.length > 1 && (
        <label className="row small muted">
          Measure
          <select
            className="field insight-measure"
            value={measure?.column}
            onChange={(event) => setChosen(event.target.value)}
          >
            {measures.map((entry) => (
              <option key={entry.column} value={entry.column}>
                {entry.title}
              </option>
            ))}
          </select>
        </label>
      )}
      <BarChart model={model} xTitle={insight.chart.x_title} yTitle={measure?.title ?? insight.chart.y_title} />
    </>
  );
}
