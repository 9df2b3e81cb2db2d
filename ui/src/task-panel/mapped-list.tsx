/** The instances of a mapped task. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import type { TaskInstance } from "../../../src/api/contract.ts";
import { type Column, DataTable, type Sorting } from "../components/data-table.tsx";
import { Empty, ErrorNote, Skeleton } from "../components/feedback.tsx";
import { StateBadge } from "../components/state-mark.tsx";
import { Took } from "../components/time.tsx";
import { mappedQuery, type TaskAddress } from "../lib/queries.ts";
import { useNextPage } from "../lib/use-next-page.ts";

/** Column → what the API calls it. */
const ORDER: Readonly<Record<string, string>> = { index: "map_index", state: "state", took: "duration" };

export function MappedList({ at, onOpen }: { at: TaskAddress; onOpen: (mapIndex: number) => void }) {
  const [order, setOrder] = useState<string | null>(null);
  const list = useInfiniteQuery(mappedQuery(at, order));
  const rows = useMemo(() => (list.data?.pages ?? []).flatMap((page) => page.task_instances), [list.data]);
  const onEnd = useNextPage(list);
  // The server sorts: what is looked for may be on a page that was not fetched.
  const onSort = useCallback((sorting: Sorting | null) => {
    const name = sorting && ORDER[sorting.id];
    setOrder(name ? `${sorting.direction === "descending" ? "-" : ""}${name}` : null);
  }, []);
  const columns = useMemo(() => mappedColumns(onOpen), [onOpen]);
  if (list.isError) return <ErrorNote error={list.error} onRetry={() => void list.refetch()} />;
  if (list.isPending) return <Skeleton />;
  return (
    <div className="panel-body panel-fill">
      <DataTable
        label="Mapped instances"
        rows={rows}
        columns={columns}
        keyOf={(instance) => String(instance.map_index)}
        onSort={onSort}
        onEnd={onEnd}
        empty={<Empty title="Not expanded yet">The list it maps over is not there yet, or is empty.</Empty>}
      />
    </div>
  );
}

function mappedColumns(onOpen: (mapIndex: number) => void): Column<TaskInstance>[] {
  return [
    {
      id: "index",
      title: "Item",
      width: "minmax(80px, 1fr)",
      sortBy: (instance) => instance.map_index,
      cell: (instance) => (
        <button type="button" className="link" onClick={() => onOpen(instance.map_index)}>
          {instance.rendered_map_index ?? instance.map_index}
        </button>
      ),
    },
    {
      id: "state",
      title: "State",
      width: "minmax(130px, 1fr)",
      sortBy: (instance) => instance.state ?? "",
      cell: (instance) => <StateBadge state={instance.state} />,
    },
    {
      id: "tries",
      title: "Tries",
      width: "70px",
      align: "right",
      cell: (i) => i.try_number,
    },
    {
      id: "took",
      title: "Took",
      width: "90px",
      align: "right",
      sortBy: (instance) => instance.duration ?? 0,
      cell: (instance) => <Took start={instance.start_date} end={instance.end_date} />,
    },
  ];
}
