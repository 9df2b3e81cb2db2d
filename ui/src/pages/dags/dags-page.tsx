/** All DAGs: how their last runs went, what comes next, pause and trigger. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import type { Dag } from "../../../../src/api/contract.ts";
import { DataTable } from "../../components/data-table.tsx";
import { Empty, ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { SearchField } from "../../components/search-field.tsx";
import { count } from "../../lib/format.ts";
import { dagListQuery } from "../../lib/queries.ts";
import { useNextPage } from "../../lib/use-next-page.ts";
import { TriggerDialog } from "../dag/trigger-dialog.tsx";
import { dagColumns } from "./dag-columns.tsx";

const route = getRouteApi("/dags");

export function DagsPage() {
  const { q = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const [triggered, setTriggered] = useState<Dag | null>(null);
  const list = useInfiniteQuery(dagListQuery(q));
  const dags = useMemo(() => (list.data?.pages ?? []).flatMap((page) => page.dags), [list.data]);
  const columns = useMemo(() => dagColumns({ onTrigger: setTriggered }), []);
  const onEnd = useNextPage(list);
  const total = list.data?.pages[0]?.total_entries;
  return (
    <div className="page page-full">
      <div className="page-head">
        <h1>DAGs</h1>
        {total !== undefined && <span className="muted">{count(total)}</span>}
        <span className="grow" />
        <SearchField
          label="Search DAGs"
          value={q}
          onChange={(text) => void navigate({ search: text ? { q: text } : {}, replace: true })}
        />
      </div>
      {list.isError && <ErrorNote error={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending && <Skeleton rows={12} />}
      {list.data && (
        <DataTable
          label="DAGs"
          rows={dags}
          columns={columns}
          keyOf={(dag) => dag.dag_id}
          rowHeight={44}
          minWidth={860}
          onEnd={onEnd}
          empty={
            q ? (
              <Empty title={`No DAG is called “${q}”`}>Names match anywhere, in any case.</Empty>
            ) : (
              <Empty title="No DAGs yet" command="npx qflow dags check my-dag.ts">
                Put a file that exports a DAG into the dags folder; it appears here a moment after it is saved.
              </Empty>
            )
          }
        />
      )}
      {triggered && <TriggerDialog dagId={triggered.dag_id} onClose={() => setTriggered(null)} />}
    </div>
  );
}
