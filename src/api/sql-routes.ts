/** `/api/sql`: read-only SQL over the lake. */
import { QflowError } from "../errors.ts";
import { writeAudit } from "../metadata/access.ts";
import { personalTables } from "../metadata/catalog.ts";
import { type SqlResult, sqlRequest, sqlResult } from "./contract.ts";
import { requireEngine, requireReadOnly } from "./query-engine.ts";
import { route } from "./route.ts";

const ask = route({
  method: "post",
  path: "/api/sql",
  guard: "viewer",
  summary: "Runs one query over the lake. Writing is refused; so are, to viewers, tables with personal data.",
  body: sqlRequest,
  response: sqlResult,
  handle: async ({ api, body, principal, raw }): Promise<SqlResult> => {
    requireReadOnly(body.sql);
    if (principal.role === "viewer") refusePersonalTables(body.sql, await personalTables(api.database));
    await writeAudit(api.database, { actor: principal.name, action: "sql.query", details: { sql: body.sql } });
    const engine = requireEngine(api);
    const gone = new AbortController();
    raw.response.on("close", () => gone.abort());
    const startedAt = performance.now();
    const found = await engine.query(body.sql, {
      maxRows: body.max_rows,
      timeoutMs: body.timeout_seconds * 1000,
      signal: gone.signal,
    });
    return {
      columns: found.columns.map(({ name, type }) => ({ name, type })),
      rows: found.rows,
      truncated: found.truncated,
      duration_ms: Math.round(performance.now() - startedAt),
    };
  },
});

/**
 * A viewer may not ask tables with personal data: a mask on the result would be passed by renaming or computing with a column.
 * Looks for the table's name anywhere in the text; names put together at run time are refused.
 */
function refusePersonalTables(sql: string, tables: readonly string[]): void {
  const named = tables.find((name) => new RegExp(`\\b${name.split(".").at(-1)}\\b`, "i").test(sql));
  if (!named && !/\bidentifier\b/i.test(sql)) return;
  const what = named ? `${named} holds personal data` : "IDENTIFIER() hides which table is asked";
  throw new QflowError("FORBIDDEN", `${what}: not for viewers`, {
    remedy: "Ask tables without personal data, or ask for role user.",
  });
}

/** SQL. */
export const sqlRoutes = [ask];
