/** The source of a version. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { CopyButton } from "../../components/copy.tsx";
import { Empty, ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { SourceView } from "../../components/source-view.tsx";
import { Ago } from "../../components/time.tsx";
import { sourceQuery, versionsQuery } from "../../lib/queries.ts";

const route = getRouteApi("/dags/$dagId");

export function CodeTab() {
  const { dagId } = route.useParams();
  const versions = useQuery(versionsQuery(dagId));
  const [chosen, setChosen] = useState<number | null>(null);
  const source = useQuery(sourceQuery(dagId, chosen));
  const list = versions.data?.dag_versions ?? [];
  const shown = list.find((version) => version.version_number === (chosen ?? source.data?.version_number));
  if (source.isError) return <ErrorNote error={source.error} onRetry={() => void source.refetch()} />;
  if (source.isPending) return <Skeleton rows={14} />;
  const { content } = source.data;
  return (
    <section className="graph-tab">
      <div className="row wrap">
        <label className="row">
          <span className="muted">Version</span>
          <select
            className="field"
            value={shown?.version_number ?? ""}
            onChange={(event) => setChosen(Number(event.target.value))}
          >
            {list.map((version, index) => (
              <option key={version.id} value={version.version_number}>
                {version.version_number}
                {index === 0 ? " (latest)" : ""}
              </option>
            ))}
          </select>
        </label>
        {shown && (
          <span className="muted">
            made <Ago at={shown.created_at} />
          </span>
        )}
        <span className="grow" />
        {content !== null && <CopyButton text={content} what="source" />}
      </div>
      {content === null ? (
        <Empty title="This version was stored without its source" />
      ) : (
        <SourceView source={content} />
      )}
    </section>
  );
}
