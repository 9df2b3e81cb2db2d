/** Figures of runs, from the database's own timestamps. */
import type { Sql } from "../../src/metadata/database.ts";
import { type Figure, figure } from "../figure.ts";

/** Seconds from the first start to the last end of each set of runs, and how many task instances they had. */
export interface Wall {
  readonly seconds: number;
  readonly tasks: number;
}

/** How long some runs took together: from the first start of one of their tasks to the last end of one. */
export async function wallOf(sql: Sql, runs: readonly number[]): Promise<Wall> {
  const { rows } = await sql.query<Wall>(
    `select extract(epoch from max(ended_at) - min(started_at))::float8 as seconds, count(*)::int as tasks
     from task_instance where dag_run_id = any ($1) and started_at is not null`,
    [runs],
  );
  return rows[0] ?? { seconds: Number.NaN, tasks: 0 };
}

/** Seconds from the trigger of a run to its end. */
export async function runSeconds(sql: Sql, run: number): Promise<number> {
  const { rows } = await sql.query<{ seconds: number }>(
    "select extract(epoch from ended_at - started_at)::float8 as seconds from dag_run where id = $1",
    [run],
  );
  return rows[0]?.seconds ?? Number.NaN;
}

/** Milliseconds from the trigger of a run to the start of its first task. */
export async function firstStartMs(sql: Sql, run: number): Promise<number> {
  const { rows } = await sql.query<{ ms: number }>(
    `select extract(epoch from min(t.started_at) - r.started_at)::float8 * 1000 as ms
     from dag_run r join task_instance t on t.dag_run_id = r.id where r.id = $1 group by r.id`,
    [run],
  );
  return rows[0]?.ms ?? Number.NaN;
}

/**
 * Milliseconds between the starts of tasks that follow each other in a chain. The end of a task and the start of the next are one
 * transaction here and have one timestamp: a hop holds hand-over, task and report.
 */
export async function hopsOf(sql: Sql, run: number): Promise<number[]> {
  const { rows } = await sql.query<{ ms: number }>(
    `select extract(epoch from started_at - lag(started_at) over (order by started_at))::float8 * 1000 as ms
     from task_instance where dag_run_id = $1 order by started_at offset 1`,
    [run],
  );
  return rows.map((row) => row.ms);
}

/** The value below which a share of the values lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** p50, p95 and p99 of each set of values: one figure each, n = sets. */
export function percentiles(name: string, unit: string, sets: readonly (readonly number[])[]): Figure[] {
  return [0.5, 0.95, 0.99].map((share) =>
    figure(
      `${name} p${share * 100}`,
      unit,
      sets.map((values) => quantile(values, share)),
    ),
  );
}
