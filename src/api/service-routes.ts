/** `/api/services`: what services do, and pause, resume, restart. */
import { z } from "zod";
import { QflowError } from "../errors.ts";
import { pauseService, restartService, resumeService } from "../metadata/services/actions.ts";
import { readServiceLog } from "../metadata/services/logs.ts";
import {
  findServiceAttempt,
  getService,
  listServiceAttempts,
  listServices,
  progressStep,
  serviceProgress as readProgress,
  type ServiceRow,
} from "../metadata/views/service-views.ts";
import { explainService } from "../scheduler/explain-service.ts";
import {
  type LogPage,
  logPage,
  type Service,
  service,
  serviceAttemptCollection,
  serviceCollection,
  servicePatch,
  serviceProgress,
} from "./contract.ts";
import { lineShape } from "./log-routes.ts";
import { route } from "./route.ts";

function shape(row: ServiceRow): Service {
  const { spec, progress, reason: _, workers: _workers, fenced_until: _fenced, progress_at, ...rest } = row;
  return {
    ...withInstants(rest),
    why: explainService(row),
    progress: progress && {
      batch: progress.batch,
      rows: progress.rows,
      batch_ms: progress.batchMs ?? null,
      lag: progress.lag ?? null,
      event_time: progress.eventTime ?? null,
      offsets: progress.offsets ?? null,
      at: (progress_at ?? new Date(0)).toISOString(),
    },
    max_lag: spec.maxLag?.records ?? null,
    program: spec.program.name,
    reads: spec.reads,
    emits: spec.emits,
  };
}

type Instants<T> = { [K in keyof T]: T[K] extends Date ? string : T[K] extends Date | null ? string | null : T[K] };

function withInstants<T extends object>(row: T): Instants<T> {
  const entries = Object.entries(row).map(([key, value]) => [key, value instanceof Date ? value.toISOString() : value]);
  return Object.fromEntries(entries) as Instants<T>;
}

const list = route({
  method: "get",
  path: "/api/services",
  guard: "viewer",
  summary: "Services: state, throughput, lag.",
  response: serviceCollection,
  handle: async ({ api }) => {
    const services = (await listServices(api.database)).map(shape);
    return { services, total_entries: services.length };
  },
});

const getOne = route({
  method: "get",
  path: "/api/services/:service_id",
  guard: "viewer",
  summary: "One service as it is now.",
  response: service,
  handle: async ({ api, params }) => shape(await getService(api.database, params.service_id)),
});

const attempts = route({
  method: "get",
  path: "/api/services/:service_id/attempts",
  guard: "viewer",
  summary: "The newest starts of a service, newest first.",
  query: z.object({ limit: z.coerce.number().int().min(1).max(500).default(50) }),
  response: serviceAttemptCollection,
  handle: async ({ api, params, query }) => {
    await getService(api.database, params.service_id);
    const rows = await listServiceAttempts(api.database, params.service_id, query.limit);
    return { attempts: rows.map(({ attempt_id: _, ...row }) => withInstants(row)) };
  },
});

const progress = route({
  method: "get",
  path: "/api/services/:service_id/progress",
  guard: "viewer",
  summary: "Throughput, batch times and lag of the last minutes, in at most 240 steps.",
  query: z.object({ minutes: z.coerce.number().int().min(1).max(20_160).default(60) }),
  response: serviceProgress,
  handle: async ({ api, params, query }) => {
    await getService(api.database, params.service_id);
    const points = await readProgress(api.database, params.service_id, query.minutes);
    return {
      service_id: params.service_id,
      minutes: query.minutes,
      step_seconds: progressStep(query.minutes),
      points: points.map(withInstants),
    };
  },
});

const log = route({
  method: "get",
  path: "/api/services/:service_id/attempts/:number/log",
  guard: "viewer",
  summary: "Lines of an attempt's log, by default the last ones; ask again with `from_line` for what came after.",
  query: z.object({
    from_line: z.coerce.number().int().min(-10_000).max(2_000_000_000).default(-500),
    limit: z.coerce.number().int().min(1).max(10_000).default(1000),
  }),
  response: logPage,
  handle: async ({ api, params, query }): Promise<LogPage> => {
    const number = Number(params.number);
    if (!Number.isInteger(number)) throw new QflowError("NOT_FOUND", "an attempt is a number");
    const attemptId = await findServiceAttempt(api.database, params.service_id, number);
    const page = await readServiceLog(api.database, attemptId, query.from_line, query.limit);
    return {
      content: page.lines.map(lineShape),
      continuation_token: page.complete ? null : String(page.nextLine),
      complete: page.complete,
      total_lines: page.nextLine - 1,
    };
  },
});

const patch = route({
  method: "patch",
  path: "/api/services/:service_id",
  guard: "user",
  summary: "Pauses a service, which ends it after the work in hand, or resumes it.",
  body: servicePatch,
  response: service,
  handle: async ({ api, params, body, mutate }) => {
    const serviceId = params.service_id;
    const action = body.is_paused ? "service.pause" : "service.resume";
    await mutate({ action, details: { service: serviceId } }, (db) =>
      body.is_paused ? pauseService(db, serviceId) : resumeService(db, serviceId),
    );
    return shape(await getService(api.database, serviceId));
  },
});

const restart = route({
  method: "post",
  path: "/api/services/:service_id/restart",
  guard: "user",
  summary: "Ends the program of a service after the work in hand, and starts it again.",
  response: service,
  handle: async ({ api, params, mutate }) => {
    const serviceId = params.service_id;
    await mutate({ action: "service.restart", details: { service: serviceId } }, (db) => restartService(db, serviceId));
    return shape(await getService(api.database, serviceId));
  },
});

/** Services. */
export const serviceRoutes = [list, getOne, attempts, progress, log, patch, restart];
