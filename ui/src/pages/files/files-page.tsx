/** Every delivered file, with its balance: read = loaded + duplicate + quarantined. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import { FILE_STATES } from "../../../../src/api/contract/file-states.ts";
import { ChipBar } from "../../components/chip-bar.tsx";
import { DataTable } from "../../components/data-table.tsx";
import { Empty, ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { SearchField } from "../../components/search-field.tsx";
import { count } from "../../lib/format.ts";
import { filesQuery } from "../../lib/queries.ts";
import type { FileState } from "../../lib/search.ts";
import { useNextPage } from "../../lib/use-next-page.ts";
import { fileColumns } from "./file-columns.tsx";
import "./files.css";

const route = getRouteApi("/files");

export function FilesPage() {
  const { state, batch } = route.useSearch();
  const navigate = route.useNavigate();
  const list = useInfiniteQuery(filesQuery({ ...(state && { state }), ...(batch && { batch }) }));
  const files = useMemo(() => (list.data?.pages ?? []).flatMap((page) => page.files), [list.data]);
  const columns = useMemo(() => fileColumns(), []);
  const onEnd = useNextPage(list);
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
      <ChipBar
        label="State"
        options={FILE_STATES}
        chosen={state}
        onChoose={(entry) => setSearch({ ...(entry && { state: entry }), ...(batch && { batch }) })}
      />
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
