/** How long runs take. */
import type { Sql } from "../database.ts";

/** Newest runs that are looked at. */
const NEWEST = 50;

/** The median duration of the newest successful runs, in milliseconds, by DAG; DAGs without one are left out. */
export async function runDurations(sql: Sql): Promise<Map<string, number>> {
  const found = await sql.query<{ dag_id: string; ms: number }>(
    `select d.dag_id, (percentile_cont(0.5) within group (order by extract(epoch from r.ended_at - r.started_at)) * 1000)::float8 as ms
     from dag d cross join lateral (
       select n.* from (select * from dag_run where dag_id = d.dag_id order by id desc limit $1) n where n.state = 'success') r
     where d.active and r.ended_at is not null and r.started_at is not null group by d.dag_id`,
    [NEWEST],
  );
  return new Map(found.rows.map((row) => [row.dag_id, Math.round(row.ms)]));
}
