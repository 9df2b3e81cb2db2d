/** `/api/v2/backfills`, as in Airflow 3. */
import { z } from "zod";
import type { Json } from "../../dag/spec.ts";
import {
  type BackfillRequest,
  cancelBackfill,
  createBackfill,
  pauseBackfill,
  previewBackfill,
  resumeBackfill,
} from "../../metadata/backfills.ts";
import type { Database } from "../../metadata/database.ts";
import { BACKFILL_ORDER, type BackfillRow, getBackfill, listBackfills } from "../../metadata/views/backfill-views.ts";
import {
  type BackfillBody,
  type BackfillShape,
  backfill,
  backfillBody,
  backfillCollection,
  dryRunBackfills,
} from "../contract.ts";
import { route } from "../route.ts";
import { flag, sliceOf, slicing } from "./list-query.ts";
import { iso, isoOrNull } from "./shape.ts";

const BEHAVIOR = { missing: "none", failed: "failed", all: "completed" } as const;
const REPROCESS = { none: "missing", failed: "failed", completed: "all" } as const;

function shape(row: BackfillRow): BackfillShape {
  return {
    id: row.id,
    dag_id: row.dag_id,
    dag_display_name: row.dag_id,
    from_date: iso(row.from_date),
    to_date: iso(row.to_date),
    dag_run_conf: row.conf,
    is_paused: row.paused,
    reprocess_behavior: BEHAVIOR[row.reprocess],
    run_backwards: row.reverse,
    max_active_runs: row.max_active_runs,
    created_at: iso(row.created_at),
    updated_at: iso(row.updated_at),
    completed_at: isoOrNull(row.completed_at),
    state: row.state,
    progress: row.progress,
  };
}

function requestOf(body: BackfillBody, by: string): BackfillRequest {
  return {
    dagId: body.dag_id,
    range: body.dates
      ? { dates: body.dates.map((date) => new Date(date)) }
      : { from: new Date(body.from_date ?? ""), to: new Date(body.to_date ?? "") },
    reprocess: REPROCESS[body.reprocess_behavior],
    order: body.run_backwards ? "backward" : "forward",
    maxActiveRuns: body.max_active_runs,
    conf: (body.dag_run_conf ?? {}) as Json,
    by,
  };
}

const list = route({
  method: "get",
  path: "/api/v2/backfills",
  guard: "viewer",
  summary: "Backfills and how far they are.",
  query: z.object({ ...slicing(BACKFILL_ORDER), dag_id: z.string().optional(), active: flag.optional() }),
  response: backfillCollection,
  handle: async ({ api, query }) => {
    const page = await listBackfills(api.database, { dagId: query.dag_id, active: query.active }, sliceOf(query));
    return { backfills: page.rows.map(shape), total_entries: page.total };
  },
});

const one = route({
  method: "get",
  path: "/api/v2/backfills/:backfill_id",
  guard: "viewer",
  summary: "One backfill.",
  response: backfill,
  handle: async ({ api, params }) => shape(await getBackfill(api.database, idOf(params))),
});

const create = route({
  method: "post",
  path: "/api/v2/backfills",
  guard: "user",
  summary:
    "Makes runs of past dates, beside and after the live ones. 409 while another backfill has dates in the period.",
  body: backfillBody,
  response: backfill,
  handle: async ({ api, body, principal, mutate }) => {
    const request = requestOf(body, `user:${principal.name}`);
    const entry = { action: "backfill.create", dagId: body.dag_id, details: { ...body } };
    const id = await mutate(entry, (db) => createBackfill(db, request));
    return shape(await getBackfill(api.database, id));
  },
});

const dryRun = route({
  method: "post",
  path: "/api/v2/backfills/dry_run",
  guard: "user",
  summary: "Which runs a backfill would make now.",
  body: backfillBody,
  response: dryRunBackfills,
  handle: async ({ api, body }) => {
    const dates = await previewBackfill(api.database, requestOf(body, ""));
    const backfills = dates
      .filter((date) => date.outcome === "created")
      .map((date) => ({ logical_date: iso(date.logicalDate) }));
    return { backfills, total_entries: backfills.length };
  },
});

function change(
  action: "pause" | "unpause" | "cancel",
  summary: string,
  work: (db: Database, id: number) => Promise<unknown>,
) {
  return route({
    method: "put",
    path: `/api/v2/backfills/:backfill_id/${action}`,
    guard: "user",
    summary,
    response: backfill,
    handle: async ({ api, params, mutate }) => {
      const id = idOf(params);
      await mutate({ action: `backfill.${action}`, details: { backfill: id } }, (db) => work(db, id));
      return shape(await getBackfill(api.database, id));
    },
  });
}

/** What is no number of a backfill is one that is not there. */
function idOf({ backfill_id: text }: { readonly backfill_id: string }): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}

/** In order of matching. */
export const backfillRoutes = [
  list,
  dryRun,
  one,
  create,
  change("pause", "Makes and starts no more runs of it; what runs goes on.", pauseBackfill),
  change("unpause", "Goes on with it.", resumeBackfill),
  change("cancel", "Ends it: runs that have not started are cancelled, those that run go on.", cancelBackfill),
];
