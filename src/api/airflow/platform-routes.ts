/** `/api/v2/version`, `/monitor/health`; `/health`; `/metrics`; and the known rest of Airflow's API. */
import { setTimeout as sleep } from "node:timers/promises";
import { QflowError } from "../../errors.ts";
import { readPulse } from "../../metadata/views/platform-views.ts";
import { type Health, health, version } from "../contract.ts";
import { metricsText } from "../metrics.ts";
import { type Route, route } from "../route.ts";
import { isoOrNull } from "./shape.ts";

const getVersion = route({
  method: "get",
  path: "/api/v2/version",
  guard: "public",
  summary: "Version of this installation.",
  response: version,
  handle: async ({ api }) => ({ version: api.version, git_version: null }),
});

function status(alive: number): { status: "healthy" | "unhealthy" } {
  return { status: alive > 0 ? "healthy" : "unhealthy" };
}

const getHealth = route({
  method: "get",
  path: "/api/v2/monitor/health",
  guard: "public",
  summary:
    "Whether database, schedulers and workers are alive. Schedulers load DAG files too; nothing triggers apart from them.",
  response: health,
  handle: async ({ api }): Promise<Health> => {
    const pulse = await readPulse(api.database).catch(() => null);
    const scheduler = status(pulse?.schedulers ?? 0);
    const schedulerAt = isoOrNull(pulse?.schedulerAt ?? null);
    return {
      metadatabase: status(pulse ? 1 : 0),
      scheduler: { ...scheduler, latest_scheduler_heartbeat: schedulerAt },
      triggerer: { status: null, latest_triggerer_heartbeat: null },
      dag_processor: { ...scheduler, latest_dag_processor_heartbeat: schedulerAt },
      worker: {
        ...status(pulse?.workers ?? 0),
        latest_worker_heartbeat: isoOrNull(pulse?.workerAt ?? null),
        count: pulse?.workers ?? 0,
      },
    };
  },
});

/** A load balancer does not wait for long. */
const HEALTH_MS = 1_500;

const liveness = route({
  method: "get",
  path: "/health",
  guard: "public",
  summary:
    "200 when this process and its database answer within 1.5 s, else 503; beside it, how many schedulers and workers live.",
  handle: async ({ api, raw }) => {
    const late = new AbortController();
    const pulse = await Promise.race([
      readPulse(api.database).catch(() => null),
      sleep(HEALTH_MS, null, { signal: late.signal }).catch(() => null),
    ]).finally(() => late.abort());
    const { schedulers = null, workers = null } = pulse ?? {};
    raw.response
      .status(pulse ? 200 : 503)
      .json({ status: pulse ? "healthy" : "unhealthy", database: status(pulse ? 1 : 0).status, schedulers, workers });
  },
});

const metrics = route({
  method: "get",
  path: "/metrics",
  guard: "public",
  summary:
    "Prometheus metrics: work under way by state and pool, lags, latencies, fenced writes, the outbox, retention.",
  handle: async ({ api, raw }) => {
    raw.response.type("text/plain; version=0.0.4").send(await metricsText(api.database));
  },
});

/** Airflow's paths that qflow knows and does not answer yet, and what to use instead. */
const UNSUPPORTED: readonly (readonly [path: string, reason: string])[] = [
  ["/auth/token", "qflow has no passwords: make a token with `qflow tokens create`"],
  ["/api/v2/assets", "datasets are at /api/catalog/datasets"],
  ["/api/v2/eventLogs", "the audit log has no endpoint yet"],
  ["/api/v2/dagStats", "counts are in each DAG's run_counts"],
  ["/api/v2/dagTags", "tags are in each DAG"],
  ["/api/v2/jobs", "workers are in /api/v2/monitor/health"],
  ["/api/v2/config", "settings are not shown over HTTP"],
  ["/api/v2/plugins", "qflow has no plugins"],
  ["/api/v2/providers", "qflow has no providers"],
];

const METHODS = ["get", "post", "put", "patch", "delete"] as const;

const unsupported: Route[] = UNSUPPORTED.flatMap(([path, reason]) =>
  [path, `${path}/*rest`].flatMap((each) =>
    METHODS.map((method) =>
      route({
        method,
        path: each,
        guard: "public",
        summary: `Not supported: ${reason}.`,
        handle: () => Promise.reject(new QflowError("NOT_SUPPORTED", `not supported: ${reason}`)),
      }),
    ),
  ),
);

/** About the platform itself. */
export const platformRoutes = [getVersion, getHealth, liveness, metrics];
/** Known paths of Airflow that answer 501. */
export const unsupportedRoutes = unsupported;
