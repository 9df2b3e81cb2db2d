/** How many rows a listing has, at a cost that does not grow with history. */
import { QflowError } from "../../errors.ts";
import type { Sql } from "../database.ts";
import { COUNTED } from "./counted.ts";
import type { Slice } from "./filter.ts";

/** Rows of `from` (a FROM clause with its WHERE), exact up to {@link COUNTED}. */
export async function totalOf(sql: Sql, from: string, values: unknown[]): Promise<number> {
  const counted = await sql.query<{ n: number }>(
    `select count(*)::float8 as n from (select 1 ${from} limit ${COUNTED + 1}) few`,
    values,
  );
  const n = counted.rows[0]?.n ?? 0;
  if (n <= COUNTED) return n;
  const explained = await sql.query<{ "QUERY PLAN": readonly { Plan: { "Plan Rows": number } }[] }>(
    `explain (format json) select 1 ${from}`,
    values,
  );
  return Math.max(n, explained.rows[0]?.["QUERY PLAN"][0]?.Plan["Plan Rows"] ?? n);
}

/**
 * Refuses a page in an order that no index serves when there is more to sort than is counted one by one: its cost would grow with
 * history. `served` = names that have an index. Throws REQUEST_INVALID.
 */
export function refuseWideOrder(slice: Slice, total: number, served: readonly string[]): void {
  const [first] = slice.orderBy;
  if (first === undefined || total <= COUNTED || served.includes(first.replace(/^-/, ""))) return;
  throw new QflowError("REQUEST_INVALID", `more than ${COUNTED} rows are too many to order by ${first}`, {
    remedy: `Narrow the list down, to a run for example, or order it by ${served.join(", ")}.`,
  });
}
