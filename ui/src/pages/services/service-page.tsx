/** One service: what it does, how fast, how far behind, why it ended before, and what it says. */
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import type { Service } from "../../../../src/api/contract.ts";
import { type Fact, Facts } from "../../components/facts.tsx";
import { ErrorNote, Skeleton } from "../../components/feedback.tsx";
import { Ago } from "../../components/time.tsx";
import { count, duration, middleCut } from "../../lib/format.ts";
import { serviceQuery } from "../../lib/service-queries.ts";
import { ServiceActions } from "./service-actions.tsx";
import { ServiceAttempts } from "./service-attempts.tsx";
import { RANGES, ServiceCharts } from "./service-charts.tsx";
import { Uptime } from "./service-columns.tsx";
import { ServiceLog } from "./service-log.tsx";
import { LagPill, ServiceBadge } from "./service-state.tsx";
import "./services.css";

const route = getRouteApi("/services/$serviceId");

const FIRST_RANGE = 60;

export function ServicePage() {
  const { serviceId } = route.useParams();
  const { minutes = FIRST_RANGE, attempt } = route.useSearch();
  const navigate = route.useNavigate();
  const service = useQuery(serviceQuery(serviceId));
  const shown = attempt ?? service.data?.attempt ?? 0;
  return (
    <div className="page service-page">
      {service.isError && <ErrorNote error={service.error} onRetry={() => void service.refetch()} />}
      {service.isPending && <Skeleton rows={8} />}
      {service.data && <ServiceHead service={service.data} />}
      {service.data && (
        <>
          <nav className="service-ranges" aria-label="Range of the charts">
            {RANGES.map(([value, word]) => (
              <button
                key={value}
                type="button"
                className="button quiet"
                aria-pressed={value === minutes}
                onClick={() => void navigate({ search: (old) => ({ ...old, minutes: value }), replace: true })}
              >
                {word}
              </button>
            ))}
          </nav>
          <ServiceCharts serviceId={serviceId} minutes={minutes} />
          <div className="service-parts">
            <ServiceAttempts
              serviceId={serviceId}
              chosen={shown}
              onChoose={(number) => void navigate({ search: (old) => ({ ...old, attempt: number }), replace: true })}
            />
            {shown > 0 && <ServiceLog serviceId={serviceId} attempt={shown} />}
          </div>
        </>
      )}
    </div>
  );
}

function ServiceHead({ service }: { service: Service }) {
  return (
    <header>
      <div className="page-head">
        <h1>{service.service_id}</h1>
        <ServiceBadge state={service.state} />
        <LagPill service={service} />
        {service.tags.map((tag) => (
          <span key={tag} className="pill">
            {tag}
          </span>
        ))}
        <span className="grow" />
        <ServiceActions service={service} look="words" />
      </div>
      {service.doc && <p className="muted">{service.doc}</p>}
      {service.why !== null && <p className="service-why">{service.why}</p>}
      <Facts facts={factsOf(service)} className="facts facts-wide service-facts" />
    </header>
  );
}

function factsOf(service: Service): Fact[] {
  const { progress } = service;
  return [
    ["Up for", <Uptime key="up" service={service} />],
    ["Version", `${service.version}, in ${service.file}`],
    [
      "Starts in 24 h",
      `${count(service.starts)}; attempt ${service.attempt}${service.host ? ` on ${middleCut(service.host, 24)}` : ""}`,
    ],
    ["Rows", `${count(service.rows)} in ${count(service.batches)} batches of this attempt`],
    ["Throughput", `${count(Math.round(service.rows_per_second))} rows a second, over a minute`],
    ["Lag", lagText(service)],
    [
      "Last batch",
      progress ? (
        <span key="batch">
          {progress.batch} with {count(progress.rows)} rows in {duration(progress.batch_ms)}, <Ago at={progress.at} />
        </span>
      ) : (
        "–"
      ),
    ],
    ["Last sign of life", <Ago key="seen" at={service.seen_at} />],
    ["Writes", <DatasetLinks key="emits" ids={service.emits} />],
    ["Owner", service.owner ?? "–"],
    ["Queue", service.queue],
    ...lastError(service),
  ];
}

function lagText({ progress, max_lag: most }: Service): string {
  const lag = progress?.lag ?? null;
  if (lag === null) return "not told";
  return most === null ? `${count(lag)} records` : `${count(lag)} of at most ${count(most)} records`;
}

function lastError({ last_error: error, last_error_at: at }: Service): Fact[] {
  if (error === null) return [];
  return [
    [
      "Last failure",
      <span key="error">
        <Ago at={at} />: <span className="mono">{error.code}</span>{" "}
        {error.message.split(/;? it last printed:|\n/, 1)[0]}
      </span>,
    ],
  ];
}

function DatasetLinks({ ids }: { ids: readonly string[] }) {
  if (ids.length === 0) return <span className="faint">–</span>;
  return (
    <span className="service-links">
      {ids.map((id) => (
        <Link key={id} to="/datasets/$datasetId" params={{ datasetId: id }}>
          {id}
        </Link>
      ))}
    </span>
  );
}
