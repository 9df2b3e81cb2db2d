/** Reads pools as lists show them. */
import { QflowError } from "../../errors.ts";
import type { Sql } from "../database.ts";
import { containsPattern, Filter, orderClause, type Page, type Slice } from "./filter.ts";

/** A pool with its use, in slots. */
export interface PoolRow {
  readonly name: string;
  readonly slots: number;
  readonly description: string;
  readonly running_slots: number;
  readonly queued_slots: number;
  readonly scheduled_slots: number;
  readonly deferred_slots: number;
}

/** What a list of pools can be narrowed by. */
export interface PoolFilter {
  readonly name?: string | undefined;
  /** Part of the name. */
  readonly nameContains?: string | undefined;
}

/** Names a list of pools can be ordered by. */
export const POOL_ORDER = { name: "p.name", pool: "p.name", id: "p.name", slots: "p.slots" } as const;

/** Lists pools; what their tasks take is counted over live instances only. */
export async function listPools(sql: Sql, wanted: PoolFilter, slice: Slice): Promise<Page<PoolRow>> {
  const filter = new Filter()
    .add("p.name = $", wanted.name)
    .add("p.name ilike $", wanted.nameContains === undefined ? undefined : containsPattern(wanted.nameContains));
  const counted = await sql.query<{ n: string }>(`select count(*) as n from pool p ${filter.sql}`, filter.values);
  const limit = `limit ${filter.bind(slice.limit)} offset ${filter.bind(slice.offset)}`;
  const found = await sql.query<PoolRow>(
    `select p.name, p.slots, p.description, u.* from (
       select * from pool p ${filter.sql} ${orderClause(slice, POOL_ORDER, "p.name")} ${limit}
     ) p cross join lateral (
       select coalesce(sum(i.pool_slots) filter (where i.state = 'running'), 0)::int as running_slots,
         coalesce(sum(i.pool_slots) filter (where i.state = 'queued'), 0)::int as queued_slots,
         coalesce(sum(i.pool_slots) filter (where i.state = 'scheduled'), 0)::int as scheduled_slots,
         coalesce(sum(i.pool_slots) filter (where i.state = 'deferred'), 0)::int as deferred_slots
       from task_instance i where i.pool = p.name and i.state in ('running', 'queued', 'scheduled', 'deferred')
     ) u ${orderClause(slice, POOL_ORDER, "p.name")}`,
    filter.values,
  );
  return { rows: found.rows, total: Number(counted.rows[0]?.n) };
}

/** One pool. Throws NOT_FOUND. */
export async function getPool(sql: Sql, name: string): Promise<PoolRow> {
  const { rows } = await listPools(sql, { name }, { limit: 1, offset: 0, orderBy: [] });
  if (rows[0]) return rows[0];
  throw new QflowError("NOT_FOUND", `The Pool with name: \`${name}\` was not found`);
}
