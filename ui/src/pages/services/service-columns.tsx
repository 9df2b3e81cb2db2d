/** The columns of the list of services. */
import { Link } from "@tanstack/react-router";
import type { Service } from "../../../../src/api/contract.ts";
import type { Column } from "../../components/data-table.tsx";
import { Ago, Took } from "../../components/time.tsx";
import { count, duration } from "../../lib/format.ts";
import { ServiceActions } from "./service-actions.tsx";
import { LagPill, ServiceBadge } from "./service-state.tsx";

export function serviceColumns(): Column<Service>[] {
  return [
    {
      id: "name",
      title: "Service",
      width: "minmax(200px, 3fr)",
      sortBy: (service) => service.service_id,
      cell: (service) => (
        <>
          <div className="row">
            <Link to="/services/$serviceId" params={{ serviceId: service.service_id }} className="ellipsis">
              {service.service_id}
            </Link>
            <LagPill service={service} />
          </div>
          <div className="small muted ellipsis" title={service.why ?? service.doc ?? ""}>
            {service.why ?? service.doc ?? service.file}
          </div>
        </>
      ),
    },
    {
      id: "state",
      title: "State",
      width: "146px",
      sortBy: (service) => service.state,
      cell: (service) => <ServiceBadge state={service.state} />,
    },
    {
      id: "uptime",
      title: "Up for",
      width: "90px",
      align: "right",
      sortBy: (service) => upSince(service) ?? "",
      cell: (service) => <Uptime service={service} />,
    },
    {
      id: "starts",
      title: "Starts, 24 h",
      width: "100px",
      align: "right",
      sortBy: (service) => service.starts,
      cell: (service) => count(service.starts),
    },
    {
      id: "rate",
      title: "Rows/s",
      width: "90px",
      align: "right",
      sortBy: (service) => service.rows_per_second,
      cell: (service) => count(Math.round(service.rows_per_second)),
    },
    {
      id: "lag",
      title: "Lag",
      width: "90px",
      align: "right",
      sortBy: (service) => service.progress?.lag ?? -1,
      cell: (service) => count(service.progress?.lag ?? null),
    },
    {
      id: "batch",
      title: "Last batch",
      width: "150px",
      align: "right",
      sortBy: (service) => service.progress?.at ?? "",
      cell: (service) =>
        service.progress ? (
          <>
            {duration(service.progress.batch_ms)}{" "}
            <span className="muted">
              <Ago at={service.progress.at} />
            </span>
          </>
        ) : (
          <span className="faint">–</span>
        ),
    },
    {
      id: "actions",
      title: "",
      width: "104px",
      align: "right",
      cell: (service) => <ServiceActions service={service} look="icons" />,
    },
  ];
}

function upSince(service: Service): string | null {
  return service.state === "running" || service.state === "draining" ? service.ready_at : null;
}

/** How long it has been running. */
export function Uptime({ service }: { service: Service }) {
  const since = upSince(service);
  return since === null ? <span className="faint">–</span> : <Took start={since} end={null} />;
}
