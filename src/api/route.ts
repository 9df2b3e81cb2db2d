/** How an endpoint is declared: one value that routes, checks, guards and documents it. */
import type { Request, Response } from "express";
import type { z } from "zod";
import type { Config } from "../config.ts";
import type { AccessRole, AuditEntry, Principal } from "../metadata/access.ts";
import type { Database } from "../metadata/database.ts";
import type { QueryEngine } from "./query-engine.ts";

/** What every handler may use. */
export interface ApiContext {
  readonly database: Database;
  readonly config: Config;
  /** SQL over the lake; null where this process was given no HiveServer2 endpoint. */
  readonly query: QueryEngine | null;
  readonly version: string;
}

/** One checked request. */
export interface Call<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly principal: Principal;
  readonly api: ApiContext;
  readonly raw: { readonly request: Request; readonly response: Response };
  /** See {@link ../metadata/audited.ts}: a change and its audit row; one row also where it throws. */
  mutate<T>(entry: Omit<AuditEntry, "actor">, work: (database: Database) => Promise<T>): Promise<T>;
}

/** `machine` = the lineage token of qflow's own Spark jobs, or a user. `public` = anybody. */
export type Guard = AccessRole | "machine" | "public";

/** Names in an express path: `/dags/:dag_id` has `dag_id`. */
export type PathParams<T extends string> = T extends `${string}:${infer Name}/${infer Rest}`
  ? { [K in Name | keyof PathParams<Rest>]: string }
  : T extends `${string}:${infer Name}`
    ? { [K in Name]: string }
    : unknown;

/** An endpoint as the server keeps it. */
export interface Route {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  readonly path: string;
  readonly guard: Guard;
  readonly summary: string;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  readonly response?: z.ZodType;
  /** Of success; default 200. */
  readonly status?: number;
  /** Resolves to the JSON answer; undefined where it has answered by itself. */
  handle(call: Call<unknown, unknown, unknown>): Promise<unknown>;
}

/** Declares an endpoint; path parameters, query and body reach the handler typed and checked. */
export function route<
  const P extends string,
  Q extends z.ZodType = z.ZodUndefined,
  B extends z.ZodType = z.ZodUndefined,
>(
  declared: Omit<Route, "handle" | "path" | "query" | "body"> & {
    readonly path: P;
    readonly query?: Q;
    readonly body?: B;
    handle(call: Call<PathParams<P>, z.output<Q>, z.output<B>>): Promise<unknown>;
  },
): Route {
  return declared as unknown as Route;
}
