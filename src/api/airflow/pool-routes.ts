/** `/api/v2/pools` and `/api/v2/dagWarnings`, as in Airflow 3. */
import { z } from "zod";
import { QflowError } from "../../errors.ts";
import type { Sql } from "../../metadata/database.ts";
import {
  changePool,
  createPool,
  deletePool,
  type PoolChange,
  poolWarnings,
  poolWarningText,
  setPool,
} from "../../metadata/pools.ts";
import { getPool, listPools, POOL_ORDER, type PoolRow } from "../../metadata/views/pool-views.ts";
import {
  bulkPools,
  bulkResponse,
  dagWarningCollection,
  type Pool,
  type PoolBody,
  type PoolPatch,
  pool,
  poolBody,
  poolCollection,
  poolPatch,
} from "../contract.ts";
import { route } from "../route.ts";
import { type BulkWork, runBulk } from "./bulk.ts";
import { many, sliceOf, slicing } from "./list-query.ts";
import { iso } from "./shape.ts";

function poolShape(row: PoolRow): Pool {
  const occupied = row.running_slots;
  return {
    name: row.name,
    slots: row.slots,
    description: row.description === "" ? null : row.description,
    include_deferred: false,
    occupied_slots: occupied,
    running_slots: row.running_slots,
    queued_slots: row.queued_slots,
    scheduled_slots: row.scheduled_slots,
    open_slots: row.slots - occupied,
    deferred_slots: row.deferred_slots,
  };
}

const list = route({
  method: "get",
  path: "/api/v2/pools",
  guard: "viewer",
  summary: "Pools and how full they are.",
  query: z.object({ ...slicing(POOL_ORDER), pool_name_pattern: z.string().optional() }),
  response: poolCollection,
  handle: async ({ api, query }) => {
    const page = await listPools(api.database, { nameContains: plain(query.pool_name_pattern) }, sliceOf(query));
    return { pools: page.rows.map(poolShape), total_entries: page.total };
  },
});

/** Airflow's patterns are those of SQL's LIKE; what is between the percent signs is looked for. */
function plain(pattern: string | undefined): string | undefined {
  return pattern?.replaceAll("%", "");
}

const one = route({
  method: "get",
  path: "/api/v2/pools/:pool_name",
  guard: "viewer",
  summary: "One pool.",
  response: pool,
  handle: async ({ api, params }) => poolShape(await getPool(api.database, params.pool_name)),
});

const create = route({
  method: "post",
  path: "/api/v2/pools",
  guard: "user",
  summary: "Makes a pool.",
  body: poolBody,
  response: pool,
  status: 201,
  handle: async ({ api, body, mutate }) => {
    await mutate({ action: "pool.create", details: { ...body } }, (sql) => createPool(sql, draftOf(body)));
    return poolShape(await getPool(api.database, body.name));
  },
});

const change = route({
  method: "patch",
  path: "/api/v2/pools/:pool_name",
  guard: "user",
  summary: "Changes a pool. With fewer slots than are in use nothing ends, and nothing starts until there is room.",
  query: z.object({ update_mask: many.optional() }),
  body: poolPatch,
  response: pool,
  handle: async ({ api, params, query, body, mutate }) => {
    const name = params.pool_name;
    const renamed = body.name ?? body.pool;
    if (renamed && renamed !== name)
      throw new QflowError("USAGE", "Invalid body, pool name from request body doesn't match uri parameter");
    const wanted = changeOf(body, query.update_mask ?? null);
    await mutate({ action: "pool.update", details: { pool: name, ...wanted } }, (sql) => changePool(sql, name, wanted));
    return poolShape(await getPool(api.database, name));
  },
});

const remove = route({
  method: "delete",
  path: "/api/v2/pools/:pool_name",
  guard: "user",
  summary: "Removes a pool that no task names.",
  status: 204,
  handle: async ({ params, mutate, raw }) => {
    const name = params.pool_name;
    await mutate({ action: "pool.delete", details: { pool: name } }, (sql) => deletePool(sql, name));
    raw.response.status(204).end();
  },
});

const bulk = route({
  method: "patch",
  path: "/api/v2/pools",
  guard: "user",
  summary: "Many pools at once; each change may fail alone.",
  body: bulkPools,
  response: bulkResponse,
  handle: ({ body, mutate }) => {
    const pools = body.actions.flatMap(({ entities }) =>
      entities.map((entity) => (typeof entity === "string" ? entity : entity.name)),
    );
    return mutate({ action: "pool.bulk", details: { pools } }, (sql) => runBulk(sql, body.actions, BULK));
  },
});

const BULK: BulkWork<PoolBody> = {
  keyOf: (body) => body.name,
  create: async (sql, body, mode) => {
    await (mode === "put" ? setPool : createPool)(sql, draftOf(body));
  },
  update: (sql: Sql, body, mask) => changePool(sql, body.name, changeOf(body, mask)),
  remove: deletePool,
};

function draftOf({ name, slots, description }: PoolBody) {
  return { name, slots, description: description ?? "" };
}

/** What of the body counts: the fields of the mask, else those given. Throws USAGE for a field a pool does not have. */
function changeOf(body: PoolPatch, mask: readonly string[] | null): PoolChange {
  const unknown = mask?.find((name) => !Object.hasOwn(poolPatch.shape, name));
  if (unknown) throw new QflowError("USAGE", `update_mask: a pool has no field ${unknown}`);
  const counts = (name: "slots" | "description") => mask?.includes(name) ?? body[name] !== undefined;
  return {
    ...(counts("slots") && body.slots != null ? { slots: body.slots } : {}),
    ...(counts("description") ? { description: body.description ?? "" } : {}),
  };
}

const warnings = route({
  method: "get",
  path: "/api/v2/dagWarnings",
  guard: "viewer",
  summary: "Deployed tasks that wait for ever: their pool is not there, or too small.",
  query: z.object({ dag_id: z.string().optional(), warning_type: z.string().optional(), ...slicing({ dag_id: "" }) }),
  response: dagWarningCollection,
  handle: async ({ api, query }) => {
    const found = await poolWarnings(api.database, query.dag_id === undefined ? null : [query.dag_id]);
    const all = found
      .map((one) => ({
        dag_id: one.dagId,
        dag_display_name: one.dagId,
        warning_type: one.slots === null ? ("non-existent pool" as const) : ("pool too small" as const),
        message: poolWarningText(one),
        timestamp: iso(one.at),
      }))
      .filter((one) => query.warning_type === undefined || one.warning_type === query.warning_type);
    return { dag_warnings: all.slice(query.offset, query.offset + query.limit), total_entries: all.length };
  },
});

/** In order of matching. */
export const poolRoutes = [list, one, create, bulk, change, remove, warnings];
