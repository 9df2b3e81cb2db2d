/** Every dataset, by layer: how fresh, how many rows, whose, written by what. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { ChipBar } from "../../components/chip-bar.tsx";
import { DataTable } from "../../components/data-table.tsx";
import { Empty, ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { SearchField } from "../../components/search-field.tsx";
import { count } from "../../lib/format.ts";
import { datasetListQuery } from "../../lib/queries.ts";
import { LAYERS, type LayerName } from "../../lib/search.ts";
import { useNextPage } from "../../lib/use-next-page.ts";
import { datasetColumns } from "./dataset-columns.tsx";
import "./datasets.css";

const route = getRouteApi("/datasets");

export function DatasetsPage() {
  const { q = "", layer } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useInfiniteQuery(datasetListQuery(q, layer ?? null));
  const datasets = useMemo(() => (list.data?.pages ?? []).flatMap((page) => page.datasets), [list.data]);
  const columns = useMemo(() => datasetColumns(), []);
  const onEnd = useNextPage(list);
  const setSearch = (next: { q?: string; layer?: LayerName }) => void navigate({ search: next, replace: true });
  return (
    <div className="page page-full">
      <div className="page-head">
        <h1>Datasets</h1>
        {list.data && <span className="muted">{count(list.data.pages[0]?.total_entries ?? 0)}</span>}
        <span className="grow" />
        <Link to="/files" className="button">
          Delivered files
        </Link>
        <SearchField
          label="Search datasets"
          value={q}
          onChange={(text) => setSearch({ ...(text && { q: text }), ...(layer && { layer }) })}
        />
      </div>
      <ChipBar
        label="Layer"
        options={LAYERS}
        chosen={layer}
        onChoose={(entry) => setSearch({ ...(q && { q }), ...(entry && { layer: entry }) })}
      />
      {list.isError && <ErrorNote error={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending && <Skeleton rows={12} />}
      {list.data && (
        <DataTable
          label="Datasets"
          rows={datasets}
          columns={columns}
          keyOf={(dataset) => dataset.id}
          rowHeight={44}
          minWidth={900}
          onEnd={onEnd}
          empty={
            q || layer ? (
              <Empty title="No dataset fits">Names and descriptions match anywhere, in any case.</Empty>
            ) : (
              <Empty title="No datasets yet" command="npx qflow catalog search">
                What DAGs declare to read or write appears here, and everything their Spark jobs were seen to touch.
              </Empty>
            )
          }
        />
      )}
    </div>
  );
}
