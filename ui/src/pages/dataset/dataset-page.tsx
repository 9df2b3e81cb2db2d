/** One dataset: what it is, where it comes from, where it goes, who wrote it last. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import type { DatasetDetails } from "../../../../src/api/contract.ts";
import { ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { Freshness } from "../../components/freshness.tsx";
import { count } from "../../lib/format.ts";
import { datasetQuery } from "../../lib/queries.ts";
import { DATASET_VIEWS, type DatasetView } from "../../lib/search.ts";
import { PiiPill } from "../datasets/dataset-columns.tsx";
import { Overview } from "./overview.tsx";
import { Partitions } from "./partitions.tsx";
import { Sample } from "./sample.tsx";
import { Schema } from "./schema.tsx";
import "../../components/tabs.css";
import "../datasets/datasets.css";
import "./dataset.css";

const Lineage = lazy(() => import("./lineage.tsx"));
const route = getRouteApi("/datasets/$datasetId");

const WORDS: Record<DatasetView, string> = {
  overview: "Overview",
  lineage: "Lineage",
  schema: "Schema",
  partitions: "Partitions",
  sample: "Sample",
};

export function DatasetPage() {
  const { datasetId } = route.useParams();
  const { view = "overview" } = route.useSearch();
  const navigate = route.useNavigate();
  const dataset = useQuery(datasetQuery(datasetId));
  return (
    <div className="page page-full">
      {dataset.isError && <ErrorNote error={dataset.error} onRetry={() => void dataset.refetch()} />}
      {dataset.isPending && <Skeleton rows={8} />}
      {dataset.data && (
        <>
          <DatasetHead dataset={dataset.data} />
          <div className="tabs" role="tablist" aria-label="Views of the dataset">
            {DATASET_VIEWS.map((name) => (
              <button
                key={name}
                type="button"
                role="tab"
                className="tab"
                aria-selected={name === view}
                onClick={() => void navigate({ search: name === "overview" ? {} : { view: name }, replace: true })}
              >
                {WORDS[name]}
                {name === "partitions" && dataset.data.partition_count !== null && (
                  <span className="faint">{count(dataset.data.partition_count)}</span>
                )}
              </button>
            ))}
          </div>
          <DatasetBody dataset={dataset.data} view={view} />
        </>
      )}
    </div>
  );
}

function DatasetHead({ dataset }: { dataset: DatasetDetails }) {
  return (
    <header>
      <div className="page-head">
        <h1>{dataset.id}</h1>
        <span className="pill">{dataset.layer}</span>
        {dataset.has_pii && <PiiPill />}
        {dataset.tags.map((tag) => (
          <span key={tag} className="pill">
            {tag}
          </span>
        ))}
      </div>
      <p className="muted dataset-line">
        {dataset.description && <span>{dataset.description}</span>}
        <span>
          written <Freshness freshness={dataset.freshness} />
        </span>
        {dataset.row_count !== null && <span>{count(dataset.row_count)} rows</span>}
        {dataset.owner && <span>owned by {dataset.owner}</span>}
      </p>
    </header>
  );
}

function DatasetBody({ dataset, view }: { dataset: DatasetDetails; view: DatasetView }) {
  if (view === "lineage") {
    return (
      <Suspense fallback={<Skeleton rows={8} />}>
        <Lineage key={dataset.id} datasetId={dataset.id} />
      </Suspense>
    );
  }
  if (view === "schema") return <Schema datasetId={dataset.id} />;
  if (view === "partitions") return <Partitions dataset={dataset} />;
  if (view === "sample") return <Sample datasetId={dataset.id} />;
  return <Overview dataset={dataset} />;
}
