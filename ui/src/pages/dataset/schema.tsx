/** How a dataset's schema has changed, and the fields of documents that no column holds. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { DatasetSchemas } from "../../../../src/api/contract.ts";
import { type Column, DataTable } from "../../components/data-table.tsx";
import { Empty, ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { Ago } from "../../components/time.tsx";
import { schemasQuery } from "../../lib/queries.ts";

type Version = DatasetSchemas["versions"][number];
type Field = DatasetSchemas["fields"][number];

export function Schema({ datasetId }: { datasetId: string }) {
  const schemas = useQuery(schemasQuery(datasetId));
  const columns = useMemo(() => ({ versions: versionColumns(), fields: fieldColumns() }), []);
  if (schemas.isError) return <ErrorNote error={schemas.error} onRetry={() => void schemas.refetch()} />;
  if (schemas.isPending) return <Skeleton rows={8} />;
  const { versions, fields } = schemas.data;
  return (
    <section className="fill">
      <h2 className="section-title">Versions</h2>
      <DataTable
        label="Versions"
        rows={versions}
        columns={columns.versions}
        keyOf={(version) => String(version.version)}
        empty={
          <Empty title="No schema is known yet">It is read when the dataset is first written, or looked up.</Empty>
        }
      />
      {fields.length > 0 && (
        <>
          <h2 className="section-title">Fields that no column holds</h2>
          <DataTable
            label="Fields"
            rows={fields}
            columns={columns.fields}
            keyOf={(field) => `${field.name} ${field.type}`}
            empty={null}
          />
        </>
      )}
    </section>
  );
}

function versionColumns(): Column<Version>[] {
  return [
    { id: "version", title: "Version", width: "80px", cell: (one) => one.version },
    { id: "at", title: "Since", width: "140px", cell: (one) => <Ago at={one.at} /> },
    { id: "kind", title: "Of", width: "90px", cell: (one) => <span className="pill">{one.kind}</span> },
    {
      id: "changes",
      title: "Changes",
      width: "minmax(240px, 4fr)",
      cell: (one) => {
        const text = changesOf(one);
        return (
          <span className="mono ellipsis" title={text}>
            {text}
          </span>
        );
      },
    },
  ];
}

function changesOf({ added, removed, changed }: Version): string {
  return [
    ...added.map(({ name, type }) => `+ ${name} ${type ?? ""}`),
    ...removed.map(({ name }) => `− ${name}`),
    ...changed.map(({ name, type, before }) => `${name} ${before ?? "–"} → ${type ?? "–"}`),
  ].join(", ");
}

function fieldColumns(): Column<Field>[] {
  return [
    {
      id: "name",
      title: "Field",
      width: "minmax(160px, 2fr)",
      sortBy: (one) => one.name,
      cell: (one) => <span className="mono ellipsis">{one.name}</span>,
    },
    {
      id: "type",
      title: "Type",
      width: "minmax(120px, 1fr)",
      cell: (one) => <span className="mono muted">{one.type}</span>,
    },
    { id: "first", title: "First seen", width: "140px", cell: (one) => <Ago at={one.first_seen_at} /> },
    { id: "last", title: "Last seen", width: "140px", cell: (one) => <Ago at={one.last_seen_at} /> },
  ];
}
