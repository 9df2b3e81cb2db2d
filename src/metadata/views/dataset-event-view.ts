/** Dataset events as lists show them, with the runs they started. */
import type { Json } from "../../dag/spec.ts";
import type { Sql } from "../database.ts";
import { runKey } from "../runs.ts";

/** A run that an event started. */
export interface StartedRun {
  readonly dag_id: string;
  readonly run_id: string;
  readonly logical_date: string | null;
  readonly interval_start: string | null;
  readonly interval_end: string | null;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly state: string;
  readonly partition: string | null;
}

/** A dataset event: who announced it, and what it started. */
export interface DatasetEventRow {
  readonly id: number;
  readonly dataset: string;
  /** Number of the dataset. */
  readonly dataset_id: number;
  readonly extra: Json;
  readonly partition: string | null;
  readonly at: Date;
  readonly source_dag_id: string | null;
  readonly source_run_id: string | null;
  readonly source_task_id: string | null;
  readonly source_map_index: number;
  readonly started_runs: readonly StartedRun[];
}

/** The events that started a run, oldest first. Throws NOT_FOUND. */
export async function listUpstreamEvents(sql: Sql, dagId: string, runId: string): Promise<DatasetEventRow[]> {
  const run = await runKey(sql, dagId, runId);
  const found = await sql.query<DatasetEventRow>(
    `select e.id::float8 as id, e.dataset, coalesce(c.dataset_id, abs(hashtext(e.dataset)))::float8 as dataset_id, e.extra, e.partition,
       e.at, t.dag_id as source_dag_id, s.run_id as source_run_id, t.task_id as source_task_id, coalesce(t.map_index, -1) as source_map_index,
       (select json_agg(json_build_object('dag_id', r.dag_id, 'run_id', r.run_id, 'logical_date', r.logical_date,
          'interval_start', r.interval_start, 'interval_end', r.interval_end, 'started_at', r.started_at, 'ended_at', r.ended_at,
          'state', r.state, 'partition', r.partition) order by r.id)
        from dag_run_event o join dag_run r on r.id = o.dag_run_id where o.event_id = e.id) as started_runs
     from dag_run_event x
     join dataset_event e on e.id = x.event_id
     left join catalog_dataset c on c.name = e.dataset
     left join task_instance t on t.id = e.task_instance_id
     left join dag_run s on s.id = t.dag_run_id
     where x.dag_run_id = $1 order by e.id`,
    [run],
  );
  return found.rows;
}
