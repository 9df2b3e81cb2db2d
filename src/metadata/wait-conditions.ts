/** What waits ask the database about: events of datasets, runs and tasks of other DAGs. One statement for all that ask. */
import type { Json } from "../dag/spec.ts";
import type { Sql } from "./database.ts";

/** A dataset event that was waited for. */
export interface FoundEvent {
  readonly dataset: string;
  readonly key: string;
  /** ISO 8601 in UTC. */
  readonly at: string;
  readonly extra: Json;
}

/** Id of the last event of a dataset before an instant; 0 where there is none. */
export async function eventBefore(sql: Sql, dataset: string, instant: Date): Promise<number> {
  const result = await sql.query<{ id: number }>(
    "select id::float8 as id from dataset_event where dataset = $1 and at < $2 order by id desc limit 1",
    [dataset, instant],
  );
  return result.rows[0]?.id ?? 0;
}

/** The first event of each dataset after an id, in the order asked; null where there is none. */
export async function firstEvents(
  sql: Sql,
  asked: readonly { readonly dataset: string; readonly after: number }[],
): Promise<(FoundEvent | null)[]> {
  const result = await sql.query<{ place: number; dataset: string; key: string; at: Date; extra: Json }>(
    `select w.place::integer as place, e.dataset, e.key, e.at, e.extra
     from unnest($1::text[], $2::bigint[]) with ordinality w (dataset, after, place)
     cross join lateral (
       select * from dataset_event e where e.dataset = w.dataset and e.id > w.after order by e.id limit 1) e`,
    [asked.map(({ dataset }) => dataset), asked.map(({ after }) => after)],
  );
  const found: (FoundEvent | null)[] = asked.map(() => null);
  for (const { place, at, ...event } of result.rows) found[place - 1] = { ...event, at: at.toISOString() };
  return found;
}

/** A run of another DAG, as a wait sees it. */
export interface FoundRun {
  readonly runId: string;
  readonly state: string;
  /** Of the task asked about: states of its instances, each once. */
  readonly taskStates: readonly string[];
}

/** The newest run of each DAG at a logical date, in the order asked; null where there is none. */
export async function otherRuns(
  sql: Sql,
  asked: readonly { readonly dag: string; readonly task: string | null; readonly logicalDate: string }[],
): Promise<(FoundRun | null)[]> {
  const result = await sql.query<{ place: number; runId: string; state: string; taskStates: string[] | null }>(
    `select w.place::integer as place, r.run_id as "runId", r.state, t.states as "taskStates"
     from unnest($1::text[], $2::text[], $3::timestamptz[]) with ordinality w (dag, task, logical, place)
     cross join lateral (
       select * from dag_run r where r.dag_id = w.dag and r.logical_date = w.logical order by r.id desc limit 1) r
     left join lateral (
       select array_agg(distinct t.state) as states from task_def d
       join task_instance t on t.dag_run_id = r.id and t.task_index = d.task_index
       where d.version_id = r.version_id and d.task_id = w.task) t on w.task is not null`,
    [asked.map(({ dag }) => dag), asked.map(({ task }) => task), asked.map(({ logicalDate }) => logicalDate)],
  );
  const found: (FoundRun | null)[] = asked.map(() => null);
  for (const { place, taskStates, ...run } of result.rows) found[place - 1] = { ...run, taskStates: taskStates ?? [] };
  return found;
}
