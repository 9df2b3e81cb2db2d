/** Reads DAGs as lists and pages show them. */
import type { DagSpec, ScheduleSpec } from "../../dag/spec.ts";
import { QflowError } from "../../errors.ts";
import type { Sql } from "../database.ts";
import { containsPattern, Filter, orderClause, type Page, type Slice } from "./filter.ts";

/** One of a DAG's latest runs. */
export interface RunDotRow {
  readonly run_id: string;
  readonly state: "queued" | "running" | "success" | "failed";
  readonly run_after: string;
  /** Seconds. */
  readonly duration: number | null;
}

/** A DAG with what its list entry shows. */
export interface DagRow {
  readonly dag_id: string;
  readonly file: string;
  readonly active: boolean;
  readonly paused: boolean;
  readonly owner: string | null;
  readonly tags: string[];
  readonly doc: string | null;
  readonly schedule: ScheduleSpec | null;
  readonly catchup: string;
  readonly max_active_runs: number;
  readonly max_active_tasks: number | null;
  readonly next_run_after: Date | null;
  readonly next_logical_date: Date | null;
  readonly next_interval_start: Date | null;
  readonly next_interval_end: Date | null;
  readonly updated_at: Date;
  readonly has_import_error: boolean;
  readonly has_task_limits: boolean;
  readonly bundle_hash: string | null;
  readonly latest_runs: RunDotRow[];
  /** Of the latest 100 runs, by state. */
  readonly run_counts: Readonly<Record<string, number>>;
}

/** What a list of DAGs can be narrowed by. */
export interface DagFilter {
  readonly search?: string | undefined;
  readonly paused?: boolean | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly active?: boolean | undefined;
  readonly dagId?: string | undefined;
  readonly lastRunState?: string | undefined;
}

const DOTS = 14;
const COUNTED = 100;

const DAG_COLUMNS = `
  d.dag_id, d.file, d.active, d.paused, d.owner, d.tags, d.doc, d.schedule, d.catchup, d.max_active_runs,
  d.next_run_after, d.next_logical_date, d.next_interval_start, d.next_interval_end, d.updated_at,
  v.max_active_tasks, v.bundle_hash,
  exists (select from import_error e where e.file = d.file) as has_import_error,
  exists (select from task_def t where t.version_id = d.version_id and (t.max_active is not null or t.concurrency is not null)) as has_task_limits,
  recent.latest_runs, recent.run_counts`;

const DAG_FROM = `
  from dag d left join dag_version v on v.id = d.version_id`;

/**
 * The newest runs of DAG `d`. The range of one value keeps the order that only the index by DAG gives: with an equation, where most
 * runs are of a few DAGs, PostgreSQL reads all runs backward and looks for those of the others among them.
 */
const newestRuns = (limit: number) =>
  `select * from dag_run where dag_id between d.dag_id and d.dag_id order by dag_id, id desc limit ${limit}`;

const RECENT_RUNS = `
  cross join lateral (
    select coalesce(json_agg(json_build_object('run_id', r.run_id, 'state', r.state, 'run_after', r.run_after,
             'duration', extract(epoch from coalesce(r.ended_at, now()) - r.started_at)::float8) order by r.id desc)
             filter (where r.place <= ${DOTS}), '[]') as latest_runs,
           json_build_object(
             'queued', count(*) filter (where r.state = 'queued'), 'running', count(*) filter (where r.state = 'running'),
             'success', count(*) filter (where r.state = 'success'), 'failed', count(*) filter (where r.state = 'failed')) as run_counts
    from (select x.*, row_number() over (order by x.id desc) as place
          from (${newestRuns(COUNTED)}) x) r
  ) recent`;

/** Names a list of DAGs can be ordered by. */
export const DAG_ORDER = {
  dag_id: "d.dag_id",
  dag_display_name: "d.dag_id",
  next_dagrun: "d.next_run_after",
  last_run_start_date: "(select max(started_at) from dag_run r where r.dag_id = d.dag_id)",
} as const;

/** Lists DAGs. */
export async function listDags(sql: Sql, wanted: DagFilter, slice: Slice): Promise<Page<DagRow>> {
  const filter = new Filter()
    .add("d.dag_id = $", wanted.dagId)
    .add("d.dag_id ilike $", wanted.search === undefined ? undefined : containsPattern(wanted.search))
    .add("d.paused = $", wanted.paused)
    .add("d.active = $", wanted.active)
    .add("d.tags && $::text[]", wanted.tags?.length ? wanted.tags : undefined)
    .add(`(select state from (${newestRuns(1)}) newest) = $`, wanted.lastRunState);
  const counted = await sql.query<{ n: string }>(`select count(*) as n ${DAG_FROM} ${filter.sql}`, filter.values);
  const limit = `limit ${filter.bind(slice.limit)} offset ${filter.bind(slice.offset)}`;
  const found = await sql.query<DagRow>(
    `select ${DAG_COLUMNS} ${DAG_FROM} ${RECENT_RUNS} ${filter.sql} ${orderClause(slice, DAG_ORDER, "d.dag_id")} ${limit}`,
    filter.values,
  );
  return { rows: found.rows, total: Number(counted.rows[0]?.n) };
}

/** One DAG. Throws NOT_FOUND. */
export async function getDag(sql: Sql, dagId: string): Promise<DagRow> {
  const page = await listDags(sql, { dagId }, { limit: 1, offset: 0, orderBy: [] });
  return page.rows[0] ?? missingDag(dagId);
}

function missingDag(dagId: string): never {
  throw new QflowError("NOT_FOUND", `The Dag with ID: \`${dagId}\` was not found`);
}

/** One version of a DAG. */
export interface DagVersionRow {
  readonly id: string;
  readonly dag_id: string;
  readonly number: number;
  readonly bundle_hash: string;
  readonly created_at: Date;
}

/** Versions of a DAG, newest first. Throws NOT_FOUND. */
export async function listDagVersions(sql: Sql, dagId: string, slice: Slice): Promise<Page<DagVersionRow>> {
  const counted = await sql.query<{ n: string | null }>(
    "select (select count(*) from dag_version v where v.dag_id = d.dag_id) as n from dag d where dag_id = $1",
    [dagId],
  );
  const total = counted.rows[0] ?? missingDag(dagId);
  const order = orderClause(slice, { version_number: "number", created_at: "created_at" }, "number desc");
  const found = await sql.query<DagVersionRow>(
    `select id, dag_id, number, bundle_hash, created_at from dag_version where dag_id = $1 ${order} limit $2 offset $3`,
    [dagId, slice.limit, slice.offset],
  );
  return { rows: found.rows, total: Number(total.n) };
}

/** One version with its spec. */
export interface DagSpecRow extends DagVersionRow {
  readonly spec: DagSpec;
  /** Source file as it was when this version was made. */
  readonly source: string;
}

/** A version by its number, null = the newest. Throws NOT_FOUND. */
export async function getDagVersion(sql: Sql, dagId: string, number: number | null): Promise<DagSpecRow> {
  const found = await sql.query<DagSpecRow>(
    `select v.id, v.dag_id, v.number, v.bundle_hash, v.created_at, v.spec, b.source
     from dag d join dag_version v on v.dag_id = d.dag_id join bundle b on b.hash = v.bundle_hash
     where d.dag_id = $1 and (v.number = $2 or ($2::int is null and v.id = d.version_id))`,
    [dagId, number],
  );
  const row = found.rows[0];
  if (row) return row;
  if (number === null) return missingDag(dagId);
  throw new QflowError("NOT_FOUND", `The Dag \`${dagId}\` has no version ${number}`);
}

/** A DAG file that could not be loaded. */
export interface ImportErrorRow {
  readonly id: number;
  readonly file: string;
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  readonly line: number | null;
  readonly column: number | null;
  readonly at: Date;
}

/** Files that could not be loaded, by name. Ids are made from the name and stay the same while the file fails. */
export async function listImportErrors(sql: Sql, slice: Slice): Promise<Page<ImportErrorRow>> {
  const counted = await sql.query<{ n: string }>("select count(*) as n from import_error");
  const order = orderClause(slice, { timestamp: "at", filename: "file" }, "file");
  const found = await sql.query<ImportErrorRow>(
    `select abs(hashtext(file)) as id, file, code, message, remedy, line, "column", at from import_error ${order} limit $1 offset $2`,
    [slice.limit, slice.offset],
  );
  return { rows: found.rows, total: Number(counted.rows[0]?.n) };
}

/** How many runs are queued or running. */
export async function countActiveRuns(sql: Sql, dagId: string): Promise<number> {
  const found = await sql.query<{ n: string }>(
    "select count(*) as n from dag_run where dag_id = $1 and state in ('queued', 'running')",
    [dagId],
  );
  return Number(found.rows[0]?.n);
}
