/** Breadcrumbs, read off the address. */
import { Link, useParams, useRouterState } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Icon } from "../components/icon.tsx";
import { middleCut } from "../lib/format.ts";

const WORDS: Record<string, string> = {
  dags: "DAGs",
  services: "Services",
  datasets: "Datasets",
  dashboards: "Dashboards",
  sql: "SQL",
  files: "Delivered files",
};

const SHOWN_ID = 44;

export function Crumbs() {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const params: { dagId?: string; runId?: string; datasetId?: string; serviceId?: string } = useParams({
    strict: false,
  });
  const place = path.split("/")[1] ?? "";
  const trail: ReactNode[] = [];
  if (place === "dags") trail.push(<Link to="/dags">DAGs</Link>);
  else if (place === "services") trail.push(<Link to="/services">Services</Link>);
  else if (place === "datasets") trail.push(<Link to="/datasets">Datasets</Link>);
  else if (place === "files") trail.push(<Link to="/datasets">Datasets</Link>, <span>Delivered files</span>);
  else trail.push(<span>{WORDS[place] ?? "Home"}</span>);
  if (params.dagId) {
    trail.push(
      <Link to="/dags/$dagId" params={{ dagId: params.dagId }} title={params.dagId}>
        {middleCut(params.dagId, SHOWN_ID)}
      </Link>,
    );
  }
  if (params.runId) trail.push(<span title={params.runId}>{middleCut(params.runId, SHOWN_ID)}</span>);
  if (params.serviceId) trail.push(<span title={params.serviceId}>{middleCut(params.serviceId, SHOWN_ID)}</span>);
  if (params.datasetId) trail.push(<span title={params.datasetId}>{middleCut(params.datasetId, SHOWN_ID)}</span>);
  return (
    <nav aria-label="Breadcrumbs" className="grow">
      <ol className="crumbs">
        {trail.map((entry, index) => (
          // The trail is a fixed sequence: its position is its identity.
          // biome-ignore lint/suspicious/noArrayIndexKey: see above
          <li key={index} {...(index === trail.length - 1 ? { "aria-current": "page" as const } : {})}>
            {index > 0 && <Icon name="chevron" size={12} />}
            <span className="ellipsis">{entry}</span>
          </li>
        ))}
      </ol>
    </nav>
  );
}
