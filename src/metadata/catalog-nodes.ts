/** Nodes and edges of the catalog's graph: datasets and jobs, made when first named. */
import { classify, kindOf, layerOf } from "./catalog-names.ts";
import type { Sql } from "./database.ts";

/** Namespace of qflow's own jobs; their names are `<dag>.<task>`. */
export const QFLOW_NAMESPACE = "qflow";

/** Ids of datasets by catalog name; unknown ones are made. */
export async function ensureDatasets(sql: Sql, names: readonly string[]): Promise<Map<string, string>> {
  const wanted = [...new Set(names)].sort();
  if (wanted.length === 0) return new Map();
  await sql.query(
    `insert into catalog_dataset (name, layer, kind)
     select * from unnest($1::text[], $2::text[], $3::text[]) on conflict (name) do nothing`,
    [wanted, wanted.map(layerOf), wanted.map(kindOf)],
  );
  const found = await sql.query<{ name: string; dataset_id: string }>(
    "select name, dataset_id from catalog_dataset where name = any ($1)",
    [wanted],
  );
  return new Map(found.rows.map((row) => [row.name, row.dataset_id]));
}

/** Namespace of qflow's services; their names are their ids. A service may be called as a task is. */
export const SERVICE_NAMESPACE = "qflow-service";

/** A job as it is to be known. */
export interface JobIdentity {
  readonly namespace: string;
  readonly name: string;
  /** Of a task of qflow. */
  readonly dagId: string | null;
  readonly taskId: string | null;
  /** Of a service of qflow. */
  readonly serviceId?: string;
}

/** A task of qflow as a job. */
export function taskJob(dagId: string, taskId: string): JobIdentity {
  return { namespace: QFLOW_NAMESPACE, name: `${dagId}.${taskId}`, dagId, taskId };
}

/** A service of qflow as a job. */
export function serviceJob(serviceId: string): JobIdentity {
  return { namespace: SERVICE_NAMESPACE, name: serviceId, dagId: null, taskId: null, serviceId };
}

/** Id of a job; an unknown one is made. */
export async function ensureJob(sql: Sql, job: JobIdentity): Promise<string> {
  const made = await sql.query<{ job_id: string }>(
    `insert into catalog_job (namespace, name, dag_id, task_id, service_id) values ($1, $2, $3, $4, $5)
     on conflict (namespace, name) do update set dag_id = coalesce(excluded.dag_id, catalog_job.dag_id),
       task_id = coalesce(excluded.task_id, catalog_job.task_id), service_id = coalesce(excluded.service_id, catalog_job.service_id)
     returning job_id`,
    [job.namespace, job.name, job.dagId, job.taskId, job.serviceId ?? null],
  );
  return made.rows[0]?.job_id as string;
}

/** Columns of a dataset as one source saw them. */
export interface SeenSchema {
  readonly datasetId: string;
  readonly dataset: string;
  readonly source: "hive" | "output" | "input";
  readonly columns: readonly SeenColumn[];
  readonly at: Date;
}

/** A column as a source saw it. */
export interface SeenColumn {
  readonly name: string;
  readonly type: string | null;
  readonly description?: string | null;
  readonly is_partition?: true;
}

/** Keeps each distinct set of columns once, and classes columns that look like personal data. */
export async function recordSchemas(sql: Sql, seen: readonly SeenSchema[]): Promise<void> {
  if (seen.length === 0) return;
  const rows = seen.map(({ datasetId, source, columns, at }) => ({ dataset_id: datasetId, source, columns, at }));
  await sql.query(
    `insert into catalog_schema (dataset_id, digest, source, columns, first_seen_at, last_seen_at)
     select dataset_id, encode(sha256(convert_to(columns::text, 'UTF8')), 'hex'), source, columns, min(at), max(at)
     from jsonb_to_recordset($1::jsonb) as x(dataset_id bigint, source text, columns jsonb, at timestamptz)
     group by dataset_id, source, columns
     on conflict (dataset_id, digest, source) do update set
       first_seen_at = least(catalog_schema.first_seen_at, excluded.first_seen_at),
       last_seen_at = greatest(catalog_schema.last_seen_at, excluded.last_seen_at)`,
    [JSON.stringify(rows)],
  );
  await recordClasses(
    sql,
    seen.flatMap((one) =>
      one.columns.flatMap(({ name }) => {
        const classification = classify(one.dataset, name);
        return classification ? [{ dataset_id: one.datasetId, column_name: name, classification }] : [];
      }),
    ),
  );
}

/** Classes columns by rule; what a person said stays. */
export async function recordClasses(
  sql: Sql,
  classes: readonly { dataset_id: string; column_name: string; classification: string }[],
): Promise<void> {
  if (classes.length === 0) return;
  await sql.query(
    `insert into catalog_column_note (dataset_id, column_name, classification, noted_by)
     select distinct on (dataset_id, column_name) dataset_id, column_name, classification, 'rule'
     from jsonb_to_recordset($1::jsonb) as x(dataset_id bigint, column_name text, classification text)
     order by dataset_id, column_name, classification
     on conflict (dataset_id, column_name) do nothing`,
    [JSON.stringify(classes)],
  );
}

/** Keeps other names of datasets. */
export async function recordAliases(sql: Sql, aliases: readonly { alias: string; datasetId: string }[]): Promise<void> {
  if (aliases.length === 0) return;
  await sql.query(
    "insert into catalog_alias (alias, dataset_id) select distinct on (a) a, d from unnest($1::text[], $2::bigint[]) as x(a, d) order by a, d on conflict (alias) do nothing",
    [aliases.map((one) => one.alias), aliases.map((one) => one.datasetId)],
  );
}

/** Draws edges that were seen at a time. */
export async function observeEdges(
  sql: Sql,
  edges: readonly { source: string; target: string }[],
  at: Date,
): Promise<void> {
  if (edges.length === 0) return;
  await sql.query(
    `insert into catalog_edge (source, target, observed_at)
     select distinct s, t, $3::timestamptz from unnest($1::bigint[], $2::bigint[]) as x(s, t) order by s, t
     on conflict (source, target) do update set observed_at = greatest(catalog_edge.observed_at, excluded.observed_at)`,
    [edges.map((edge) => edge.source), edges.map((edge) => edge.target), at],
  );
}
