/** The API process: one HTTP server for REST, lineage, events, login and the web client. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type Express, type Request, type RequestHandler, type Response } from "express";
import manifest from "../../package.json" with { type: "json" };
import type { Config } from "../config.ts";
import type { Connection } from "../dag/operator.ts";
import { QflowError } from "../errors.ts";
import type { AuditEntry } from "../metadata/access.ts";
import { audited, auditFailure } from "../metadata/audited.ts";
import type { Database } from "../metadata/database.ts";
import { jsonBody, lineageBody } from "./body.ts";
import { errorHandler, invalidRequest } from "./failure.ts";
import { admit, refuseForeignHost, securityHeaders } from "./guard.ts";
import { hiveQueryEngine } from "./query-engine.ts";
import type { ApiContext, Call, Route } from "./route.ts";
import { allRoutes } from "./routes.ts";
import { startUpkeep } from "./upkeep.ts";
import { serveWebClient } from "./web-client.ts";

/** What the API process is started with. */
export interface ApiOptions {
  readonly database: Database;
  /** `host` and `port` say where to listen; port 0 takes a free one. */
  readonly config: Config;
  /** HiveServer2 endpoint for SQL over the lake, or null where there is none. */
  readonly hive: Connection | null;
  /** Told about every defect; never about a caller's mistake. */
  readonly report: (error: unknown) => void;
}

/** A listening API. */
export interface RunningApi {
  /** E.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Ends event streams, waits for answers under way, closes the port. */
  close(): Promise<void>;
}

/** Starts listening. Throws PORT_TAKEN. */
export async function startApi(options: ApiOptions): Promise<RunningApi> {
  const { config, database, hive, report } = options;
  const query = hive ? hiveQueryEngine(hive) : null;
  return serveApi({ database, config, query, version: manifest.version }, report);
}

/** {@link startApi} with its parts made already. */
export async function serveApi(api: ApiContext, report: (error: unknown) => void): Promise<RunningApi> {
  const { config } = api;
  const server = createServer({ requestTimeout: 120_000, headersTimeout: 20_000 }, application(api, report));
  await listen(server, config);
  const upkeep = startUpkeep(api, report);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${config.host.includes(":") ? `[${config.host}]` : config.host}:${port}`,
    close: async () => {
      await upkeep.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function listen(server: Server, config: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE") return reject(error);
      reject(
        new QflowError("PORT_TAKEN", `port ${config.port} of ${config.host} is in use`, {
          remedy: "End what listens there, or set QFLOW_PORT.",
        }),
      );
    });
    server.listen(config.port, config.host, () => resolve());
  });
}

function application(api: ApiContext, report: (error: unknown) => void): Express {
  const app = express();
  app.disable("x-powered-by");
  app.set("query parser", "simple");
  app.use(securityHeaders, refuseForeignHost(api.config.host));
  for (const route of allRoutes) register(app, route, api);
  app.use(["/api", "/auth"], (request, _response, next) => {
    next(new QflowError("NOT_FOUND", `there is no ${request.method} ${request.originalUrl.split("?")[0]}`));
  });
  serveWebClient(app);
  app.use(errorHandler(report));
  return app;
}

function register(app: Express, route: Route, api: ApiContext): void {
  const admitted: RequestHandler = async (request, response, next) => {
    response.locals.principal = await admit(api, request, route.guard);
    if (route.path.startsWith("/api")) response.setHeader("Cache-Control", "no-store");
    next();
  };
  // The caller is known before a body is read.
  const body = route.method === "get" ? [] : route.guard === "machine" ? lineageBody : jsonBody;
  app[route.method](route.path, admitted, ...body, (request, response) => answer(route, api, request, response));
}

async function answer(route: Route, api: ApiContext, request: Request, response: Response): Promise<void> {
  const principal = response.locals.principal as Call<unknown, unknown, unknown>["principal"];
  let recorded = false;
  const handle = async () =>
    route.handle({
      params: request.params,
      query: checked(route, "query", request.query),
      body: checked(route, "body", request.body),
      principal,
      api,
      raw: { request, response },
      mutate: (entry, work) => {
        recorded = true;
        return audited(api.database, { ...entry, actor: principal.name }, work);
      },
    });
  const result = await handle().catch(async (error: unknown) => {
    // A call that was refused before it came to its change leaves its row, too.
    if (!recorded && changesThings(route)) {
      await auditFailure(api.database, refusedEntry(route, request, principal.name), error);
    }
    throw error;
  });
  if (result !== undefined) response.status(route.status ?? 200).json(result);
}

function changesThings({ method, guard }: Route): boolean {
  return method !== "get" && (guard === "user" || guard === "admin");
}

function refusedEntry({ method, path }: Route, { params }: Request, actor: string): AuditEntry {
  const { dag_id: dagId, run_id: runId, task_id: taskId } = params as Record<string, string | undefined>;
  return {
    actor,
    action: `${method.toUpperCase()} ${path}`,
    ...(dagId ? { dagId } : {}),
    ...(runId ? { runId } : {}),
    ...(taskId ? { taskId } : {}),
  };
}

function checked(route: Route, where: "query" | "body", value: unknown): unknown {
  const schema = route[where];
  if (!schema) return undefined;
  const parsed = schema.safeParse(value ?? {});
  if (!parsed.success) throw invalidRequest(where, parsed.error);
  return parsed.data;
}
