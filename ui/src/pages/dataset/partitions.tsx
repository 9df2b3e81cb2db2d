/** Partitions, newest first. */
import { useMemo } from "react";
import type { DatasetDetails, DatasetPartition } from "../../../../src/api/contract.ts";
import { type Column, DataTable } from "../../components/data-table.tsx";
import { Empty } from "../../components/feedback.tsx";
import { Ago } from "../../components/time.tsx";
import { count } from "../../lib/format.ts";

export function Partitions({ dataset }: { dataset: DatasetDetails }) {
  const columns = useMemo(() => partitionColumns(), []);
  const all = dataset.partition_count ?? 0;
  return (
    <section className="fill">
      {all > dataset.partitions.length && (
        <p className="muted">
          The newest {count(dataset.partitions.length)} of {count(all)}.
        </p>
      )}
      <DataTable
        label="Partitions"
        rows={dataset.partitions}
        columns={columns}
        keyOf={(partition) => partition.spec}
        empty={<Empty title="Not partitioned">Or nothing has been written yet.</Empty>}
      />
    </section>
  );
}

function partitionColumns(): Column<DatasetPartition>[] {
  return [
    {
      id: "spec",
      title: "Partition",
      width: "minmax(200px, 3fr)",
      sortBy: (partition) => partition.spec,
      cell: (partition) => <span className="mono">{partition.spec}</span>,
    },
    {
      id: "rows",
      title: "Rows",
      width: "120px",
      align: "right",
      sortBy: (partition) => partition.row_count ?? -1,
      cell: (partition) => count(partition.row_count),
    },
    {
      id: "updated",
      title: "Written",
      width: "120px",
      sortBy: (partition) => partition.updated_at ?? "",
      cell: (partition) => <Ago at={partition.updated_at} />,
    },
  ];
}
