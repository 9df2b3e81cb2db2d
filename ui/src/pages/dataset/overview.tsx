/** Columns beside neighbours and writes. */
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import type { DatasetColumn, DatasetDetails } from "../../../../src/api/contract.ts";
import { type Column, DataTable } from "../../components/data-table.tsx";
import { Empty } from "../../components/feedback.tsx";
import { RunLink } from "../../components/run-link.tsx";
import { Ago } from "../../components/time.tsx";
import { bytes, count, middleCut } from "../../lib/format.ts";
import { PiiPill } from "../datasets/dataset-columns.tsx";

export function Overview({ dataset }: { dataset: DatasetDetails }) {
  const columns = useMemo(() => columnColumns(), []);
  return (
    <div className="dataset-overview">
      <section className="dataset-columns" aria-labelledby="columns-title">
        <h2 id="columns-title" className="section-title">
          Columns <span className="muted">schema version {dataset.schema_version}</span>
        </h2>
        <DataTable
          label="Columns"
          rows={dataset.columns}
          columns={columns}
          keyOf={(column) => column.name}
          minWidth={420}
          empty={
            <Empty title="Columns are not known yet">
              They are read when the dataset is first written by a Spark task.
            </Empty>
          }
        />
      </section>
      <div className="dataset-side">
        <Neighbours title="Comes from" ids={dataset.upstream.map((entry) => entry.id)} none="Nothing qflow knows of" />
        <Neighbours title="Goes to" ids={dataset.downstream.map((entry) => entry.id)} none="Nothing reads it yet" />
        <Jobs title="Written by" tasks={dataset.producers} services={dataset.producing_services} />
        <Jobs title="Read by" tasks={dataset.consumers} services={dataset.consuming_services} />
        <Writes dataset={dataset} />
        {dataset.aliases.length > 0 && (
          <section>
            <h2>Other names</h2>
            <ul className="mono aliases">
              {dataset.aliases.map((alias) => (
                <li key={alias}>{alias}</li>
              ))}
            </ul>
          </section>
        )}
      </div>
    </div>
  );
}

function Neighbours({ title, ids, none }: { title: string; ids: readonly string[]; none: string }) {
  return (
    <section>
      <h2>{title}</h2>
      {ids.length === 0 && <p className="muted">{none}</p>}
      <ul>
        {ids.map((id) => (
          <li key={id}>
            <Link to="/datasets/$datasetId" params={{ datasetId: id }}>
              {id}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface JobsProps {
  readonly title: string;
  readonly tasks: readonly { dag_id: string; task_id: string }[];
  readonly services: readonly string[];
}

function Jobs({ title, tasks, services }: JobsProps) {
  if (tasks.length + services.length === 0) return null;
  return (
    <section>
      <h2>{title}</h2>
      <ul>
        {tasks.map(({ dag_id: dagId, task_id: taskId }) => (
          <li key={`${dagId}/${taskId}`}>
            <Link to="/dags/$dagId/graph" params={{ dagId }}>
              {dagId} › {taskId}
            </Link>
          </li>
        ))}
        {services.map((serviceId) => (
          <li key={serviceId}>
            <Link to="/services/$serviceId" params={{ serviceId }}>
              service {serviceId}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

const WRITES_SHOWN = 8;

function Writes({ dataset }: { dataset: DatasetDetails }) {
  return (
    <section>
      <h2>Last writes</h2>
      {dataset.writes.length === 0 && !dataset.last_service_write && <p className="muted">None yet</p>}
      <table className="writes">
        <tbody>
          {dataset.last_service_write && (
            <tr>
              <td>
                <Link to="/services/$serviceId" params={{ serviceId: dataset.last_service_write.service_id }}>
                  service {dataset.last_service_write.service_id}
                </Link>
              </td>
              <td />
              <td className="right muted">
                <Ago at={dataset.last_service_write.at} />
              </td>
            </tr>
          )}
          {dataset.writes.slice(0, WRITES_SHOWN).map((write) => (
            <tr key={`${write.run.attempt_id}`}>
              <td>
                <RunLink run={write.run} text={middleCut(write.run.dag_run_id, 28)} />
              </td>
              <td className="right muted">{write.rows === null ? bytes(write.bytes) : `${count(write.rows)} rows`}</td>
              <td className="right muted">
                <Ago at={write.run.at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function columnColumns(): Column<DatasetColumn>[] {
  return [
    {
      id: "name",
      title: "Name",
      width: "minmax(150px, 2fr)",
      sortBy: (column) => column.name,
      cell: (column) => (
        <span className="row">
          <span className="mono ellipsis">{column.name}</span>
          {column.is_partition && <span className="pill">partition</span>}
          {column.classification && <PiiPill kind={column.classification} />}
        </span>
      ),
    },
    {
      id: "type",
      title: "Type",
      width: "120px",
      cell: (column) => <span className="mono muted">{column.type ?? "–"}</span>,
    },
    {
      id: "description",
      title: "Description",
      width: "minmax(120px, 2fr)",
      cell: (column) => (
        <span title={column.description ?? ""}>{column.description ?? <span className="faint">–</span>}</span>
      ),
    },
  ];
}
