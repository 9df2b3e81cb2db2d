/** `/api/insights`: charts over the enriched tables, with the run that wrote what they show. */
import { z } from "zod";
import { QflowError } from "../errors.ts";
import { searchDatasets, type WriterRow } from "../metadata/catalog.ts";
import { runRef } from "./catalog-routes.ts";
import { type Insight, insight, insightList } from "./contract.ts";
import { INSIGHTS, type InsightQuery } from "./insights.ts";
import { requireEngine } from "./query-engine.ts";
import { type ApiContext, route } from "./route.ts";

const TIMEOUT_MS = 60_000;
/** How long rows are kept when nobody knows which run wrote them. */
const UNKNOWN_WRITER_MS = 30_000;
const KEPT = 100;
/** The table is made by a DAG that has not run yet: there is nothing to show, as in an empty one. */
const NO_TABLE = "42P01";

interface Kept {
  readonly key: string;
  readonly answer: Promise<Pick<Insight, "columns" | "rows" | "read_at">>;
}

/** Rows by insight and limit, good for as long as no newer run has written the table. */
const kept = new WeakMap<ApiContext, Map<string, Kept>>();

async function lastWriter(api: ApiContext, dataset: string): Promise<WriterRow | null> {
  const page = await searchDatasets(api.database, { search: dataset, limit: 5 });
  return page.rows.find((row) => row.name === dataset)?.last_writer ?? null;
}

async function rowsOf(
  api: ApiContext,
  wanted: InsightQuery,
  limit: number,
  writer: WriterRow | null,
): Promise<Awaited<Kept["answer"]>> {
  const cache = kept.get(api) ?? new Map<string, Kept>();
  kept.set(api, cache);
  const slot = `${wanted.name} ${limit}`;
  const key = writer ? `${writer.attempt_id} ${writer.at}` : String(Math.floor(Date.now() / UNKNOWN_WRITER_MS));
  const known = cache.get(slot);
  if (known?.key === key) return known.answer;
  if (cache.size >= KEPT) cache.clear();
  const answer = read(api, wanted, limit);
  cache.set(slot, { key, answer });
  // A failure is not kept.
  answer.catch(() => cache.delete(slot));
  return answer;
}

async function read(api: ApiContext, wanted: InsightQuery, limit: number): Promise<Awaited<Kept["answer"]>> {
  const sql = wanted.sql.replace(":limit", String(limit));
  const answer = requireEngine(api).query(sql, { maxRows: limit, timeoutMs: TIMEOUT_MS });
  const found = await answer.catch((error: unknown) => {
    if (error instanceof QflowError && error.details.sqlState === NO_TABLE) return { columns: [], rows: [] };
    throw error;
  });
  return {
    columns: found.columns.map(({ name, type }) => ({ name, type })),
    rows: found.rows,
    read_at: new Date().toISOString(),
  };
}

const list = route({
  method: "get",
  path: "/api/insights",
  guard: "viewer",
  summary: "The charts there are.",
  response: insightList,
  handle: async () => ({ insights: INSIGHTS.map(({ sql: _sql, ...summary }) => summary) }),
});

const get = route({
  method: "get",
  path: "/api/insights/:name",
  guard: "viewer",
  summary: "Rows of one chart, read from its table once a write.",
  query: z.object({ limit: z.coerce.number().int().min(1).max(1000).default(20) }),
  response: insight,
  handle: async ({ api, params, query }): Promise<Insight> => {
    const wanted = INSIGHTS.find((one) => one.name === params.name);
    if (!wanted) throw new QflowError("NOT_FOUND", `there is no insight "${params.name}"`);
    const writer = await lastWriter(api, wanted.dataset);
    const rows = await rowsOf(api, wanted, query.limit, writer);
    const { sql: _sql, ...summary } = wanted;
    return { ...summary, ...rows, written_by: writer ? runRef(writer) : null };
  },
});

/** Insights. */
export const insightRoutes = [list, get];
