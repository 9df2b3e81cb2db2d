/** All services: what each does right now, and why one does not run. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { DataTable } from "../../components/data-table.tsx";
import { Empty, ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { count } from "../../lib/format.ts";
import { serviceListQuery } from "../../lib/service-queries.ts";
import { serviceColumns } from "./service-columns.tsx";
import "./services.css";

export function ServicesPage() {
  const list = useQuery(serviceListQuery);
  const columns = useMemo(() => serviceColumns(), []);
  return (
    <div className="page page-full">
      <div className="page-head">
        <h1>Services</h1>
        {list.data && <span className="muted">{count(list.data.total_entries)}</span>}
      </div>
      {list.isError && <ErrorNote error={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending && <Skeleton rows={6} />}
      {list.data && (
        <DataTable
          label="Services"
          rows={list.data.services}
          columns={columns}
          keyOf={(service) => service.service_id}
          rowHeight={48}
          minWidth={1000}
          empty={
            <Empty title="No services yet" command="npx qflow services list">
              A service is a program that is to run always, such as a streaming job: a DAG file exports service(id,
              options, program).
            </Empty>
          }
        />
      )}
    </div>
  );
}
