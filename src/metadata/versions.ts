/** Stores what the DAG files hold: bundles, immutable versions, import errors. A broken file keeps its last good version. */
import { createHash } from "node:crypto";
import { canonicalJson } from "../dag/canonical-json.ts";
import { datasetsIn } from "../dag/datasets.ts";
import type { ServiceSpec } from "../dag/service-spec.ts";
import type { DagSpec, Json } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";
import { type StoredBundle, storeBundle } from "./bundles.ts";
import type { Database, Sql } from "./database.ts";
import { placeSource } from "./message-sources.ts";
import { dropServices, serviceElsewhere, storeServices } from "./services/deploy.ts";
import { taskDefRows } from "./task-defs.ts";
import { wakeWith } from "./wake.ts";

/** Why a DAG file could not be loaded. */
export interface ImportProblem {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  /** 1-based, where known. */
  readonly line: number | null;
  readonly column: number | null;
}

/** One DAG file as the dag room found it. */
export type LoadedDagFile =
  | {
      readonly file: string;
      readonly bundle: StoredBundle;
      readonly dags: readonly DagSpec[];
      readonly services?: readonly ServiceSpec[];
    }
  | { readonly file: string; readonly error: ImportProblem };

/** What {@link storeVersions} changed. */
export interface StoreReport {
  /** DAGs that have a new version now. */
  readonly changed: string[];
  /** DAGs that no file holds any more. */
  readonly deactivated: string[];
  /** Services that have a new version now, and those that no file holds any more. */
  readonly services: { readonly changed: string[]; readonly removed: string[] };
  /** Files with an import error. */
  readonly broken: string[];
}

/**
 * Stores DAG files. `present` are all files there are now: DAGs of other files become inactive (default: those given).
 * The same spec in the same bundle is the same version. A DAG id that an active DAG of another file has is an import error
 * of the file that came later.
 */
export async function storeVersions(
  database: Database,
  files: readonly LoadedDagFile[],
  present: readonly string[] = files.map(({ file }) => file),
): Promise<StoreReport> {
  const deactivated = await database.transaction((sql) => dropAbsent(sql, present));
  const services = { changed: [] as string[], removed: await dropServices(database, present) };
  const changed: string[] = [];
  const broken: string[] = [];
  for (const file of files) {
    const result = await database.transaction((sql) => storeFile(sql, file));
    changed.push(...result.changed);
    deactivated.push(...result.deactivated);
    services.changed.push(...result.services.changed);
    services.removed.push(...result.services.removed);
    if (result.broken) broken.push(file.file);
  }
  if (changed.length > 0) await wakeWith(database, "qflow_scheduler");
  if (services.changed.length + services.removed.length > 0) await wakeWith(database, "qflow_work");
  return { changed, deactivated, services, broken };
}

async function dropAbsent(sql: Sql, present: readonly string[]): Promise<string[]> {
  await sql.query("delete from import_error where file <> all ($1)", [present]);
  const gone = await sql.query<{ dag_id: string }>(
    "update dag set active = false, updated_at = now() where active and file <> all ($1) returning dag_id",
    [present],
  );
  return gone.rows.map((row) => row.dag_id);
}

interface FileResult {
  readonly changed: string[];
  readonly deactivated: string[];
  readonly services: StoreReport["services"];
  readonly broken: boolean;
}

async function storeFile(sql: Sql, file: LoadedDagFile): Promise<FileResult> {
  // One writer a file and, as ids are compared between files, one writer at all.
  await sql.query("select pg_advisory_xact_lock(7101004)");
  const problem = "error" in file ? file.error : await duplicateIn(sql, file.file, file);
  if (problem !== null || "error" in file) {
    if (problem !== null) await storeProblem(sql, file.file, problem);
    return { changed: [], deactivated: [], services: { changed: [], removed: [] }, broken: true };
  }
  await sql.query("delete from import_error where file = $1", [file.file]);
  await storeBundle(sql, file.bundle);
  const changed: string[] = [];
  for (const spec of file.dags) if (await storeDag(sql, file.file, spec, file.bundle.hash)) changed.push(spec.dagId);
  const gone = await sql.query<{ dag_id: string }>(
    "update dag set active = false, updated_at = now() where active and file = $1 and dag_id <> all ($2) returning dag_id",
    [file.file, file.dags.map((spec) => spec.dagId)],
  );
  const services = await storeServices(sql, file.file, file.services ?? [], file.bundle.hash);
  return { changed, deactivated: gone.rows.map((row) => row.dag_id), services, broken: false };
}

type Declared = Pick<Exclude<LoadedDagFile, { error: ImportProblem }>, "dags" | "services">;

async function duplicateIn(sql: Sql, file: string, { dags, services = [] }: Declared): Promise<ImportProblem | null> {
  const service = await serviceElsewhere(sql, file, services);
  if (service !== null) return duplicate(`service ${service.serviceId} is already in ${service.file}`);
  const found = await sql.query<{ dag_id: string; file: string }>(
    "select dag_id, file from dag where active and file <> $1 and dag_id = any ($2) limit 1",
    [file, dags.map((spec) => spec.dagId)],
  );
  const other = found.rows[0];
  if (!other) return null;
  return duplicate(`DAG ${other.dag_id} is already in ${other.file}`);
}

function duplicate(message: string): ImportProblem {
  const { code, remedy } = new QflowError("DAG_DUPLICATE", message);
  return { code, message, remedy, line: null, column: null };
}

async function storeProblem(sql: Sql, file: string, problem: ImportProblem): Promise<void> {
  await sql.query(
    `insert into import_error (file, code, message, remedy, line, "column") values ($1, $2, $3, $4, $5, $6)
     on conflict (file) do update set code = $2, message = $3, remedy = $4, line = $5, "column" = $6, at = now()`,
    [file, problem.code, problem.message, problem.remedy, problem.line, problem.column],
  );
}

/** Whether the DAG has another version than before. */
async function storeDag(sql: Sql, file: string, spec: DagSpec, bundleHash: string): Promise<boolean> {
  const before = await upsertDag(sql, file, spec);
  const values = [spec.dagId, JSON.stringify(spec), specHash(spec), bundleHash, JSON.stringify(taskDefRows(spec))];
  const stored = await sql.query<{ id: string }>("select store_version($1, $2, $3, $4, $5)::text as id", values);
  const versionId = stored.rows[0]?.id ?? null;
  if (versionId === before) return false;
  await sql.query("update dag set version_id = $2 where dag_id = $1", [spec.dagId, versionId]);
  return true;
}

/** Brings the dag row up to date and locks it; returns the version it had. A changed schedule is planned anew. */
async function upsertDag(sql: Sql, file: string, spec: DagSpec): Promise<string | null> {
  const values = [
    spec.dagId,
    file,
    spec.owner,
    spec.tags,
    spec.doc,
    spec.maxActiveRuns,
    spec.catchup,
    JSON.stringify(spec.schedule),
  ];
  const result = await sql.query<{ version_id: string | null }>(
    `insert into dag as d (dag_id, file, owner, tags, doc, max_active_runs, catchup, schedule)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (dag_id) do update set file = $2, owner = $3, tags = $4, doc = $5, max_active_runs = $6, catchup = $7, schedule = $8,
       active = true, updated_at = now(), plan_pending = d.plan_pending or d.schedule is distinct from $8 or not d.active,
       -- What another schedule settled says nothing about the one run of this one.
       scheduled_until = case when $8::jsonb ->> 'kind' = 'once' and d.schedule ->> 'kind' is distinct from 'once' then null
         else d.scheduled_until end
     returning d.version_id::text`,
    values,
  );
  await placeCursors(sql, spec);
  await placeSource(sql, spec);
  if (spec.schedule === null || spec.schedule.kind === "datasets" || spec.schedule.kind === "messages") {
    await forgetTicks(sql, spec.dagId);
  }
  return result.rows[0]?.version_id ?? null;
}

/** No clock makes its runs (any more). */
async function forgetTicks(sql: Sql, dagId: string): Promise<void> {
  await sql.query(
    `update dag set next_run_after = null, next_logical_date = null, next_interval_start = null, next_interval_end = null,
       plan_pending = plan_pending and schedule ->> 'kind' is not distinct from 'datasets'
     where dag_id = $1 and (next_run_after is not null or schedule ->> 'kind' is distinct from 'datasets' and plan_pending)`,
    [dagId],
  );
}

/** A consumer sees the events that come after it first named the dataset. */
async function placeCursors(sql: Sql, spec: DagSpec): Promise<void> {
  const datasets = spec.schedule?.kind === "datasets" ? datasetsIn(spec.schedule.condition) : [];
  await sql.query("delete from dataset_cursor where dag_id = $1 and dataset <> all ($2)", [spec.dagId, datasets]);
  await sql.query("delete from dataset_waiting where dag_id = $1 and dataset <> all ($2)", [spec.dagId, datasets]);
  if (datasets.length === 0) return;
  await sql.query("select pg_advisory_xact_lock(dataset_lock())");
  await sql.query(
    `insert into dataset_cursor (dag_id, dataset, event_id)
     select $1, d, coalesce((select max(id) from dataset_event), 0) from unnest($2::text[]) d
     on conflict do nothing`,
    [spec.dagId, datasets],
  );
}

function specHash(spec: DagSpec): string {
  return createHash("sha256")
    .update(canonicalJson(spec as unknown as Json))
    .digest("hex");
}
