/** A listening API on a database of the test's own, and callers with roles. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import type { QueryEngine } from "../../src/api/query-engine.ts";
import { type RunningApi, serveApi } from "../../src/api/server.ts";
import { loadConfig } from "../../src/config.ts";
import { type AccessRole, createToken, createUser } from "../../src/metadata/access.ts";
import type { Database } from "../../src/metadata/database.ts";
import { testDatabase } from "../support/database.ts";

/** Token that the API under test takes lineage with. */
export const LINEAGE_TOKEN = "lineage-secret";

/** An answer with its body read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // Bodies are looked into field by field.
  readonly body: ReturnType<typeof JSON.parse>;
}

/** A caller with a token. */
export type Call = (method: string, path: string, body?: unknown) => Promise<Answer>;

/** What tests work with. */
export interface ApiUnderTest {
  readonly api: RunningApi;
  readonly db: Database;
  readonly defects: unknown[];
  as(role: AccessRole): Promise<Call>;
}

/** Starts an API on a free port; it ends with the test. */
export async function startTestApi(t: ExecutionContext, query: QueryEngine | null = null): Promise<ApiUnderTest> {
  const db = await testDatabase(t);
  const home = await mkdtemp(join(tmpdir(), "qflow-api-"));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  const config = {
    ...loadConfig({ QFLOW_PORT: "0", QFLOW_HOME: home }),
    lineage: { url: "http://127.0.0.1:0", token: LINEAGE_TOKEN },
  };
  const defects: unknown[] = [];
  const api = await serveApi({ database: db, config, query, version: "0.0.0" }, (error) => defects.push(error));
  t.teardown(() => api.close());
  return {
    api,
    db,
    defects,
    as: async (role) => {
      await createUser(db, role, role);
      const { token } = await createToken(db, { name: "test", user: role, days: 1 });
      return caller(api.url, token);
    },
  };
}

/** Calls with a Bearer token. */
export function caller(url: string, token: string): Call {
  return async (method, path, body) => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      redirect: "manual",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return answerOf(response);
  };
}

/** Reads a response whole. */
export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json");
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}
