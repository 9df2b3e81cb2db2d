/** How a run stands, with every instance and its value: for tests of DAGs. */
import type { Json } from "../../dag/spec.ts";
import type { Sql } from "../database.ts";

/** One task instance. `value` is absent where there is none. */
export interface InstanceResult {
  readonly taskId: string;
  readonly mapIndex: number;
  readonly state: string;
  readonly value?: Json;
}

/** The instances of a run (its key in the database), in the order of the DAG and of the maps. */
export async function runResults(sql: Sql, run: number): Promise<InstanceResult[]> {
  const result = await sql.query<{
    task: string;
    map_index: number;
    state: string;
    has: boolean;
    value: Json;
  }>(
    `select t.task_id as task, t.map_index, t.state, x.task_instance_id is not null as has, coalesce(x.value, b.value) as value
     from task_instance t
     left join xcom x on x.task_instance_id = t.id and t.state = 'success'
     left join xcom_blob b on b.hash = x.blob_hash
     where t.dag_run_id = $1 order by t.task_index, t.map_index`,
    [run],
  );
  return result.rows.map((row) => ({
    taskId: row.task,
    mapIndex: row.map_index,
    state: row.state,
    ...(row.has ? { value: row.value } : {}),
  }));
}

/** State of a run by its key in the database. */
export async function runState(sql: Sql, run: number): Promise<string> {
  const result = await sql.query<{ state: string }>("select state from dag_run where id = $1", [run]);
  return result.rows[0]?.state ?? "";
}
