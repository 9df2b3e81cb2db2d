/** Every delivered file, with its balance: read = loaded + duplicate + quarantined. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { DataTable } from "../../components/data-table.tsx";
import { Empty, ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { SearchField } from "../../components/search-field.tsx";
import { count } from "../../lib/format.ts";
import { filesQuery } from "../../lib/queries.ts";
import { FILE_STATES, type FileState } from "../../lib/search.ts";
import { fileColumns } from "./file-columns.tsx";
import "../datasets/datasets.css";
import "./files.css";

const route = getRouteApi("/files");

export function FilesPage() {
  const { state, batch } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useInfiniteQuery(filesQuery({ ...(state && { state }), ...(batch && { batch }) }));
  const files = useMemo(() => (list.data?.pages ?? []).flatMap((page) => page.files), [list.data]);
  const columns = useMemo(() => fileColumns(), []);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const setSearch = (next: { state?: FileState; batch?: string }) => void navigate({ search: next, replace: true });
  return (
    <div className="page page-full">
      <div className="page-head">
        <h1>Delivered files</h1>
        {list.data && <span className="muted">{count(list.data.pages[0]?.total_entries ?? 0)}</span>}
        <span className="grow" />
        <SearchField
          label="Batch"
          value={batch ?? ""}
          onChange={(text) => setSearch({ ...(state && { state }), ...(text && { batch: text }) })}
        />
      </div>
      <div className="layer-bar" role="group" aria-label="State">
        {[undefined, ...FILE_STATES].map((entry) => (
          <button
            key={entry ?? "all"}
            type="button"
            className="layer-chip"
            aria-pressed={entry === state}
            onClick={() => setSearch({ ...(entry && { state: entry }), ...(batch && { batch }) })}
          >
            {entry ?? "all"}
          </button>
        ))}
      </div>
      {list.isError && <ErrorNote error={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending && <Skeleton rows={12} />}
      {list.data && (
        <DataTable
          label="Delivered files"
          rows={files}
          columns={columns}
          keyOf={(file) => file.file_id}
          minWidth={1080}
          onEnd={onEnd}
          empty={
            state || batch ? (
              <Empty title="No file fits" />
            ) : (
              <Empty title="Nothing delivered yet">Files appear here when they are first seen on the FTP server.</Empty>
            )
          }
        />
      )}
    </div>
  );
}
