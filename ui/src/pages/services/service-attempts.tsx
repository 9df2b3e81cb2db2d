/** The starts of a service: when, which version, how long, why each ended. */
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { ServiceAttempt } from "../../../../src/api/contract.ts";
import { type Column, DataTable } from "../../components/data-table.tsx";
import { Ago, Took } from "../../components/time.tsx";
import { count } from "../../lib/format.ts";
import { serviceAttemptsQuery } from "../../lib/service-queries.ts";
import { ServiceBadge } from "./service-state.tsx";

interface Props {
  serviceId: string;
  /** The attempt whose log is shown. */
  chosen: number;
  onChoose: (attempt: number) => void;
}

export function ServiceAttempts({ serviceId, chosen, onChoose }: Props) {
  const list = useQuery(serviceAttemptsQuery(serviceId));
  const columns = useMemo(() => columnsOf(chosen, onChoose), [chosen, onChoose]);
  return (
    <section className="card service-attempts">
      <h2>Starts</h2>
      <DataTable
        label="Starts"
        rows={list.data?.attempts ?? []}
        columns={columns}
        keyOf={(attempt) => String(attempt.number)}
        minWidth={560}
        empty={<p className="service-empty muted">{list.data ? "It was never started." : ""}</p>}
      />
    </section>
  );
}

function columnsOf(chosen: number, onChoose: (attempt: number) => void): Column<ServiceAttempt>[] {
  return [
    {
      id: "number",
      title: "#",
      width: "52px",
      cell: ({ number }) => (
        <button
          type="button"
          className="link"
          aria-pressed={number === chosen}
          title={`Show the log of attempt ${number}`}
          onClick={() => onChoose(number)}
        >
          {number === chosen ? <strong>{number}</strong> : number}
        </button>
      ),
    },
    { id: "state", title: "State", width: "118px", cell: ({ state }) => <ServiceBadge state={state} /> },
    { id: "started", title: "Started", width: "96px", cell: ({ started_at: at }) => <Ago at={at} /> },
    {
      id: "took",
      title: "Ran for",
      width: "84px",
      align: "right",
      cell: ({ started_at: start, ended_at: end }) => <Took start={start} end={end} />,
    },
    { id: "version", title: "Version", width: "66px", align: "right", cell: ({ version }) => version },
    { id: "rows", title: "Rows", width: "90px", align: "right", cell: ({ rows }) => count(rows) },
    {
      id: "why",
      title: "Why it ended",
      width: "minmax(140px, 2fr)",
      cell: ({ error, reason }) => (
        <span className="ellipsis" title={error?.message ?? reason ?? ""}>
          {error?.message ?? reason ?? ""}
        </span>
      ),
    },
  ];
}
