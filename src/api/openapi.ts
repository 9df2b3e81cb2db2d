/** The OpenAPI document, generated from the same routes and schemas that answer and check requests. */
import { z } from "zod";
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from "zod-openapi";
import { apiError } from "./contract.ts";
import type { Route } from "./route.ts";

/** The document for some routes. */
export function openApiDocument(routes: readonly Route[], version: string): ReturnType<typeof createDocument> {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes) {
    if (!isDescribed(route)) continue;
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method]: operation(route) };
  }
  return createDocument({
    openapi: "3.1.0",
    info: { title: "qflow", version, description: "Airflow 3's stable REST API as far as it goes, and qflow's own." },
    security: [{ token: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer" },
        session: { type: "apiKey", in: "cookie", name: "qflow_session" },
      },
    },
  });
}

/** Paths that answer 501 are not described. */
function isDescribed(route: Route): boolean {
  return !route.summary.startsWith("Not supported");
}

function operation(route: Route): ZodOpenApiOperationObject {
  const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name as string);
  const path =
    names.length === 0 ? {} : { path: z.object(Object.fromEntries(names.map((name) => [name, z.string()]))) };
  const query = route.query instanceof z.ZodObject ? { query: route.query } : {};
  const success = route.response
    ? { description: "Done.", content: { "application/json": { schema: route.response } } }
    : { description: "Done." };
  return {
    summary: route.summary,
    operationId: operationId(route),
    ...(route.guard === "public" ? { security: [] } : {}),
    ...(Object.keys(path).length + Object.keys(query).length === 0 ? {} : { requestParams: { ...path, ...query } }),
    ...(route.body ? { requestBody: { required: true, content: { "application/json": { schema: route.body } } } } : {}),
    responses: {
      [String(route.status ?? 200)]: success,
      default: {
        description: "What failed, why, and what to do.",
        content: { "application/json": { schema: apiError } },
      },
    },
  };
}

/** `GET /api/v2/dags/{dag_id}` is `getApiV2DagsDagId`. */
function operationId(route: Route): string {
  const words = route.path.split(/[^A-Za-z0-9]+/).filter(Boolean);
  return route.method + words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join("");
}
