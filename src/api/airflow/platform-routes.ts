/** `/api/v2/version`, `/monitor/health`; `/health`; `/metrics`; and the known rest of Airflow's API. */
import { QflowError } from "../../errors.ts";
import { readGauges, readPulse } from "../../metadata/views/platform-views.ts";
import { type Health, health, version } from "../contract.ts";
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

const liveness = route({
  method: "get",
  path: "/health",
  guard: "public",
  summary: "200 when this process and its database answer, else 503.",
  handle: async ({ api }) => {
    await api.database.query("select 1");
    return { status: "healthy" };
  },
});

const metrics = route({
  method: "get",
  path: "/metrics",
  guard: "public",
  summary: "Prometheus metrics: work under way, workers, lineage not yet processed.",
  handle: async ({ api, raw }) => {
    const gauges = await readGauges(api.database);
    const byState = (name: string, counts: Readonly<Record<string, number>>) =>
      Object.entries(counts).map(([state, count]) => `${name}{state="${state}"} ${count}`);
    const lines = [
      "# TYPE qflow_dag_runs gauge",
      ...byState("qflow_dag_runs", gauges.runs),
      "# TYPE qflow_task_instances gauge",
      ...byState("qflow_task_instances", gauges.instances),
      "# TYPE qflow_workers gauge",
      `qflow_workers ${gauges.workers}`,
      "# TYPE qflow_lineage_events_pending gauge",
      `qflow_lineage_events_pending ${gauges.lineagePending}`,
      "# TYPE qflow_import_errors gauge",
      `qflow_import_errors ${gauges.importErrors}`,
      "# TYPE process_resident_memory_bytes gauge",
      `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
    ];
    raw.response.type("text/plain; version=0.0.4").send(`${lines.join("\n")}\n`);
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
