/** What is deployed: every active DAG with what a change of it would touch. */
import type { DagSpec } from "../../dag/spec.ts";
import type { Sql } from "../database.ts";

/** A DAG as it is deployed. */
export interface DeployedDag {
  readonly dagId: string;
  readonly file: string;
  readonly spec: DagSpec;
  readonly bundleHash: string;
  readonly paused: boolean;
  readonly createdAt: Date;
  /** Ticks up to here are settled. */
  readonly settledUntil: Date | null;
  /** Runs that are queued or running. */
  readonly activeRuns: number;
  /** Tasks with instances of those that have not ended. */
  readonly unfinishedTasks: readonly string[];
  /** The database's clock. */
  readonly now: Date;
}

/** Every active DAG, by id. */
export async function listDeployed(sql: Sql): Promise<DeployedDag[]> {
  const found = await sql.query<DeployedDag>(
    `select d.dag_id as "dagId", d.file, v.spec, v.bundle_hash as "bundleHash", d.paused, d.created_at as "createdAt",
       d.scheduled_until as "settledUntil", now() as now, a.runs as "activeRuns", a.tasks as "unfinishedTasks"
     from dag d join dag_version v on v.id = d.version_id
     cross join lateral (
       select count(distinct r.id)::integer as runs, coalesce(array_agg(distinct t.task_id) filter (where t.id is not null), '{}') as tasks
       from dag_run r left join task_instance t on t.dag_run_id = r.id
         and t.state not in ('success', 'failed', 'skipped', 'upstream_failed', 'removed')
       where r.dag_id = d.dag_id and r.state in ('queued', 'running')) a
     where d.active order by d.dag_id`,
  );
  return found.rows;
}
