/** Reads the grid of a DAG (tasks × newest runs) in one query. */
import { QflowError } from "../../errors.ts";
import type { Sql } from "../database.ts";

/** A row of the grid. */
export interface GridTaskRow {
  readonly task_id: string;
  readonly index: number;
  readonly operator_name: string;
  readonly is_mapped: boolean;
  readonly upstream: string[];
  readonly downstream: string[];
  readonly reads: string[];
  readonly emits: string[];
  readonly in_latest: boolean;
  /** The innermost group it is in, or null. */
  readonly group: string | null;
}

/** A cell: a task in a run. */
export interface GridCellRow {
  readonly task_id: string;
  readonly state: string;
  readonly try_number: number;
  readonly start_date: string | null;
  readonly end_date: string | null;
  readonly mapped: Readonly<Record<string, number>> | null;
}

/** A column: a run. */
export interface GridRunRow {
  readonly id: string;
  readonly dag_run_id: string;
  readonly state: string;
  readonly kind: string;
  readonly logical_date: string | null;
  readonly run_after: string;
  readonly start_date: string | null;
  readonly end_date: string | null;
  readonly duration: number | null;
  readonly version_number: number;
  readonly note: string | null;
  readonly cells: GridCellRow[];
}

/** The grid; runs newest first. */
export interface GridRows {
  readonly tasks: GridTaskRow[];
  readonly runs: GridRunRow[];
  /** Whether there are older runs. */
  readonly more: boolean;
}

/** Cells of one page, about: a DAG of thousands of tasks gets fewer runs a page, never none. */
const PAGE_CELLS = 20_000;

/** States of a mapped task from what matters most to what matters least: the cell shows the first that occurs. */
const WORST_FIRST =
  "array['failed','upstream_failed','up_for_retry','running','queued','scheduled','deferred','up_for_reschedule','none','success','skipped','removed']";

const GRID_SQL = `
  with runs as (
    select r.*, v.number from dag_run r join dag_version v on v.id = r.version_id
    where r.dag_id = $1 and ($2::bigint is null or r.id < $2) order by r.id desc
    limit (select least($3, 1 + ${PAGE_CELLS} / greatest(count(*), 1)) from dag d join task_def t on t.version_id = d.version_id
      where d.dag_id = $1)
  ), counted as (
    select i.dag_run_id, i.task_id, i.state, count(*) as n, bool_or(i.map_index >= 0) as mapped, max(i.try_number) as try_number,
           min(i.started_at) as started_at, max(i.ended_at) as ended_at
    from task_instance i where i.dag_run_id in (select id from runs) group by i.dag_run_id, i.task_id, i.state
  ), cells as (
    select dag_run_id, task_id,
           (${WORST_FIRST})[min(array_position(${WORST_FIRST}, state))] as state,
           max(try_number) as try_number, min(started_at) as start_date,
           case when bool_or(state in ('running', 'queued', 'scheduled')) then null else max(ended_at) end as end_date,
           case when bool_or(mapped) then json_object_agg(state, n) end as mapped
    from counted group by dag_run_id, task_id
  ), versions as (
    select version_id as id from dag where dag_id = $1 and version_id is not null union select version_id from runs
  ), tasks as (
    select distinct on (t.value ->> 'taskId') t.value as task, v.id = d.version_id as in_latest
    from versions join dag_version v using (id) join dag d on d.dag_id = v.dag_id
      cross join jsonb_array_elements(v.spec -> 'tasks') as t
    order by t.value ->> 'taskId', v.id desc
  )
  select (select coalesce(json_agg(json_build_object(
            'task_id', task ->> 'taskId', 'index', (task -> 'index')::int,
            'operator_name', coalesce(task -> 'operator' ->> 'name', task ->> 'kind'),
            'is_mapped', task ->> 'kind' = 'map' or task ->> 'mapOver' is not null,
            'upstream', task -> 'upstream', 'downstream', task -> 'downstream', 'reads', task -> 'reads', 'emits', task -> 'emits',
            'in_latest', in_latest, 'group', task ->> 'group') order by in_latest desc, (task -> 'index')::int, task ->> 'taskId'), '[]') from tasks) as tasks,
         (select coalesce(json_agg(json_build_object(
            'id', r.id::text, 'dag_run_id', r.run_id, 'state', r.state, 'kind', r.kind, 'logical_date', r.logical_date,
            'run_after', r.run_after, 'start_date', r.started_at, 'end_date', r.ended_at,
            'duration', extract(epoch from coalesce(r.ended_at, now()) - r.started_at)::float8,
            'version_number', r.number, 'note', r.note,
            'cells', (select coalesce(json_agg(json_build_object('task_id', c.task_id, 'state', c.state, 'try_number', c.try_number,
               'start_date', c.start_date, 'end_date', c.end_date, 'mapped', c.mapped) order by c.task_id), '[]')
               from cells c where c.dag_run_id = r.id)) order by r.id desc), '[]') from runs r) as runs,
         exists (select from dag_run r where r.dag_id = $1 and r.id < (select min(id) from runs)) as more
  from dag where dag_id = $1`;

/** The newest `limit` runs older than run `before` (its internal id; null = the newest of all). Throws NOT_FOUND. */
export async function getGrid(sql: Sql, dagId: string, before: string | null, limit: number): Promise<GridRows> {
  const found = await sql.query<GridRows>(GRID_SQL, [dagId, before, limit]);
  const row = found.rows[0];
  if (!row) throw new QflowError("NOT_FOUND", `The Dag with ID: \`${dagId}\` was not found`);
  return row;
}
