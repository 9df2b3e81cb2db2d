/** The columns of the dataset list. */
import { Link } from "@tanstack/react-router";
import type { DatasetSummary } from "../../../../src/api/contract.ts";
import type { Column } from "../../components/data-table.tsx";
import { Freshness } from "../../components/freshness.tsx";
import { RunLink } from "../../components/run-link.tsx";
import { count } from "../../lib/format.ts";

export function datasetColumns(): Column<DatasetSummary>[] {
  return [
    {
      id: "name",
      title: "Dataset",
      width: "minmax(240px, 3fr)",
      sortBy: (dataset) => dataset.id,
      cell: (dataset) => (
        <>
          <div className="row">
            <Link to="/datasets/$datasetId" params={{ datasetId: dataset.id }} className="ellipsis">
              {dataset.id}
            </Link>
            {dataset.has_pii && <PiiPill />}
          </div>
          {dataset.description && <div className="small muted ellipsis">{dataset.description}</div>}
        </>
      ),
    },
    {
      id: "layer",
      title: "Layer",
      width: "110px",
      sortBy: (dataset) => dataset.layer,
      cell: (dataset) => dataset.layer,
    },
    {
      id: "fresh",
      title: "Written",
      width: "120px",
      sortBy: (dataset) => dataset.freshness.written_at ?? "",
      cell: (dataset) => <Freshness freshness={dataset.freshness} />,
    },
    {
      id: "rows",
      title: "Rows",
      width: "110px",
      align: "right",
      sortBy: (dataset) => dataset.row_count ?? -1,
      cell: (dataset) => count(dataset.row_count),
    },
    {
      id: "columns",
      title: "Columns",
      width: "80px",
      align: "right",
      sortBy: (dataset) => dataset.column_count,
      cell: (dataset) => (dataset.column_count > 0 ? dataset.column_count : <span className="faint">–</span>),
    },
    {
      id: "owner",
      title: "Owner",
      width: "130px",
      sortBy: (dataset) => dataset.owner ?? "",
      cell: (dataset) => dataset.owner ?? "–",
    },
    {
      id: "writer",
      title: "Last written by",
      width: "minmax(150px, 2fr)",
      cell: (dataset) =>
        dataset.last_writer ? <RunLink run={dataset.last_writer} /> : <span className="faint">–</span>,
    },
  ];
}

/** Says that a dataset or column holds personal data. */
export function PiiPill({ kind }: { kind?: string }) {
  return (
    <span className="pill pii-pill" title={kind ? `Personal data: ${kind}` : "Holds personal data"}>
      PII
    </span>
  );
}
