/** Reads the catalog: datasets with their columns, rows, writers, freshness and neighbours. */
import { QflowError } from "../errors.ts";
import type { CatalogLayer, DatasetKind } from "./catalog-names.ts";
import type { Sql } from "./database.ts";
import { containsPattern, Filter } from "./views/filter.ts";

/** The run, task and try behind a fact. */
export interface WriterRow {
  readonly dag_id: string;
  readonly run_id: string;
  readonly task_id: string;
  readonly map_index: number;
  readonly try_number: number;
  readonly attempt_id: string;
  readonly at: string;
  readonly row_count: number | null;
  readonly byte_count: number | null;
}

/** What a service announced. */
export interface ServiceWriteRow {
  readonly service_id: string;
  readonly attempt_number: number;
  readonly at: string;
  readonly row_count: number | null;
}

/** A dataset in a list. */
export interface DatasetRow {
  readonly dataset_id: string;
  readonly name: string;
  readonly layer: CatalogLayer;
  readonly kind: DatasetKind;
  readonly description: string | null;
  readonly owner: string | null;
  readonly tags: string[];
  readonly row_count: string | null;
  readonly partition_count: string | null;
  readonly column_count: number;
  readonly has_pii: boolean;
  readonly written_at: Date | null;
  /** Median seconds between writes; null with fewer than three. */
  readonly usual_gap: number | null;
  /** Seconds since the last write. */
  readonly age: number | null;
  readonly last_writer: WriterRow | null;
  readonly last_service_write: ServiceWriteRow | null;
  readonly upstream_count: number;
  readonly downstream_count: number;
}

/** A page of datasets; `next` = the name to go on after. */
export interface DatasetRows {
  readonly rows: DatasetRow[];
  readonly total: number;
  readonly next: string | null;
}

/** What a search can be narrowed by. `search` looks into names, descriptions and column names. */
export interface DatasetSearch {
  readonly search?: string | undefined;
  readonly layer?: string | undefined;
  /** Name that the page starts after. */
  readonly after?: string | undefined;
  readonly limit: number;
}

const SUMMARY = `
  d.dataset_id, d.name, d.layer, d.kind, d.description, d.owner, d.tags, d.row_count, d.partition_count,
  coalesce(jsonb_array_length(catalog_columns(d.dataset_id)), 0) as column_count,
  exists (select from catalog_column_note n where n.dataset_id = d.dataset_id and n.classification like 'pii.%') as has_pii,
  writes.written_at, writes.usual_gap, extract(epoch from now() - writes.written_at)::float8 as age, writer.last_writer,
  (select to_json(w) from catalog_service_writes(d.name, 1) w) as last_service_write,
  (select count(distinct up.source) from catalog_edge e join catalog_edge up on up.target = e.source
    where e.target = d.dataset_id and up.source <> d.dataset_id)::int as upstream_count,
  (select count(distinct down.target) from catalog_edge e join catalog_edge down on down.source = e.target
    where e.source = d.dataset_id and down.target <> d.dataset_id)::int as downstream_count`;

const SUMMARY_FROM = `
  cross join lateral (
    select max(at) as written_at,
           case when count(*) >= 3 then extract(epoch from percentile_cont(0.5) within group (order by gap))::float8 end as usual_gap
    from (select at, at - lag(at) over (order by at) as gap from (
      select at from catalog_writes(d.dataset_id, 30)
      union all select at from catalog_service_writes(d.name, 30)) every) w) writes
  left join lateral (
    select json_build_object('dag_id', i.dag_id, 'run_id', r.run_id, 'task_id', i.task_id, 'map_index', i.map_index,
             'try_number', a.try_number, 'attempt_id', a.attempt_id, 'at', w.at, 'row_count', w.row_count,
             'byte_count', w.byte_count) as last_writer
    from catalog_writes(d.dataset_id, 1) w
      join task_attempt a on a.attempt_id = w.attempt_id
      join task_instance i on i.id = a.task_instance_id
      join dag_run r on r.id = i.dag_run_id
    order by w.at desc limit 1) writer on true`;

/** Searches datasets, ordered by name. */
export async function searchDatasets(sql: Sql, wanted: DatasetSearch): Promise<DatasetRows> {
  const filter = new Filter().add("d.layer = $", wanted.layer).add(
    `(d.name ilike $ or d.description ilike $ or exists (
         select from jsonb_array_elements(catalog_columns(d.dataset_id)) c where c ->> 'name' ilike $))`,
    wanted.search ? containsPattern(wanted.search) : undefined,
  );
  const counted = await sql.query<{ n: string }>(
    `select count(*) as n from catalog_dataset d ${filter.sql}`,
    filter.values,
  );
  filter.add("d.name > $", wanted.after);
  const found = await sql.query<DatasetRow>(
    `select ${SUMMARY} from (select * from catalog_dataset d ${filter.sql} order by d.name limit ${filter.bind(wanted.limit)}) d
     ${SUMMARY_FROM} order by d.name`,
    filter.values,
  );
  const full = found.rows.length === wanted.limit;
  return { rows: found.rows, total: Number(counted.rows[0]?.n), next: full ? (found.rows.at(-1)?.name ?? null) : null };
}

/** A column of a dataset. */
export interface ColumnRow {
  readonly name: string;
  readonly type: string | null;
  readonly position: number;
  readonly description: string | null;
  readonly is_partition: boolean;
  readonly classification: string | null;
}

/** A dataset with everything its page shows. */
export interface DatasetDetailRows extends DatasetRow {
  readonly columns: ColumnRow[];
  readonly schema_version: number;
  readonly partitions: { spec: string; row_count: number | null; updated_at: string | null }[];
  readonly aliases: string[];
  readonly upstream: { id: string; layer: CatalogLayer }[];
  readonly downstream: { id: string; layer: CatalogLayer }[];
  readonly producers: { dag_id: string; task_id: string }[];
  readonly consumers: { dag_id: string; task_id: string }[];
  /** Services that write and read it. */
  readonly producing_services: string[];
  readonly consuming_services: string[];
  readonly writes: WriterRow[];
}

const DETAILS = `
  (select coalesce(json_agg(json_build_object(
      'name', c.value ->> 'name', 'type', c.value ->> 'type', 'position', c.place, 'is_partition', c.value ? 'is_partition',
      'description', coalesce(n.description, c.value ->> 'description'), 'classification', n.classification) order by c.place), '[]')
     from jsonb_array_elements(catalog_columns(d.dataset_id)) with ordinality as c(value, place)
     left join catalog_column_note n on n.dataset_id = d.dataset_id and n.column_name = c.value ->> 'name') as columns,
  (select count(*)::int from catalog_schemas(d.dataset_id)) as schema_version,
  (select coalesce(json_agg(p), '[]') from (select spec, row_count, updated_at from catalog_partition
     where dataset_id = d.dataset_id order by spec desc limit 500) p) as partitions,
  array(select alias from catalog_alias where dataset_id = d.dataset_id order by alias) as aliases,
  (select coalesce(json_agg(distinct jsonb_build_object('id', x.name, 'layer', x.layer)), '[]') from catalog_edge e
     join catalog_edge up on up.target = e.source join catalog_dataset x on x.dataset_id = up.source
     where e.target = d.dataset_id and x.dataset_id <> d.dataset_id) as upstream,
  (select coalesce(json_agg(distinct jsonb_build_object('id', x.name, 'layer', x.layer)), '[]') from catalog_edge e
     join catalog_edge down on down.source = e.target join catalog_dataset x on x.dataset_id = down.target
     where e.source = d.dataset_id and x.dataset_id <> d.dataset_id) as downstream,
  (select coalesce(json_agg(distinct jsonb_build_object('dag_id', j.dag_id, 'task_id', j.task_id)), '[]') from catalog_edge e
     join catalog_job j on j.job_id = e.source where e.target = d.dataset_id and j.dag_id is not null) as producers,
  (select coalesce(json_agg(distinct jsonb_build_object('dag_id', j.dag_id, 'task_id', j.task_id)), '[]') from catalog_edge e
     join catalog_job j on j.job_id = e.target where e.source = d.dataset_id and j.dag_id is not null) as consumers,
  array(select j.service_id from catalog_edge e join catalog_job j on j.job_id = e.source
     where e.target = d.dataset_id and j.service_id is not null order by 1) as producing_services,
  array(select j.service_id from catalog_edge e join catalog_job j on j.job_id = e.target
     where e.source = d.dataset_id and j.service_id is not null order by 1) as consuming_services,
  (select coalesce(json_agg(w), '[]') from (
     select i.dag_id, r.run_id, i.task_id, i.map_index, a.try_number, a.attempt_id, w.at, w.row_count, w.byte_count
     from catalog_writes(d.dataset_id, 20) w join task_attempt a on a.attempt_id = w.attempt_id
       join task_instance i on i.id = a.task_instance_id join dag_run r on r.id = i.dag_run_id
     order by w.at desc limit 20) w) as writes`;

/** One dataset by its catalog name or one of its other names. Throws NOT_FOUND. */
export async function showDataset(sql: Sql, name: string): Promise<DatasetDetailRows> {
  const found = await sql.query<DatasetDetailRows>(
    `select ${SUMMARY}, ${DETAILS} from (
       select * from catalog_dataset where name = $1
       union select x.* from catalog_alias a join catalog_dataset x using (dataset_id) where a.alias = $1 limit 1) d
     ${SUMMARY_FROM}`,
    [name],
  );
  const row = found.rows[0];
  if (!row) throw new QflowError("NOT_FOUND", `there is no dataset "${name}" in the catalog`);
  return row;
}

/** Tables of the lake that hold personal data. */
export async function personalTables(sql: Sql): Promise<string[]> {
  const found = await sql.query<{ name: string }>(
    `select d.name from catalog_dataset d where d.kind = 'table' and exists (
       select from catalog_column_note n where n.dataset_id = d.dataset_id and n.classification like 'pii.%') order by d.name`,
  );
  return found.rows.map((row) => row.name);
}

const SYNCED_LAYERS = ["standardized", "conformed", "enriched"];

/**
 * Tables written since the catalog last looked at them, by runs that have ended or by services, oldest write first. Counting rows takes
 * the lake's engine away from runs, so while one is going only writes older than three minutes count; a service never stops writing,
 * and its tables are looked at every ten minutes.
 */
export async function tablesToSync(sql: Sql): Promise<string[]> {
  const found = await sql.query<{ name: string }>(
    `select d.name from catalog_dataset d
     cross join lateral (
       select max(w.at) as at from (
         select w.at from catalog_writes(d.dataset_id, 1) w
           join task_attempt a on a.attempt_id = w.attempt_id join dag_run r on r.id = a.dag_run_id
         where r.ended_at is not null
         union all
         select s.at from catalog_service_writes(d.name, 1) s
         where coalesce(d.synced_at, '-infinity') < now() - interval '10 minutes') w) w
     where d.kind = 'table' and d.layer = any ($1) and w.at > coalesce(d.synced_at, '-infinity')
       and (w.at < now() - interval '3 minutes' or not exists (select from dag_run where state = 'running'))
     order by w.at limit 50`,
    [SYNCED_LAYERS],
  );
  return found.rows.map((row) => row.name);
}
