/** Takes what DAGs declare (datasets, reads, emits) into the catalog, whenever a DAG has a new version. */
import type { DagSpec, DatasetSpec } from "../dag/spec.ts";
import { ensureDatasets, ensureJob, taskJob } from "./catalog-nodes.ts";
import type { Database, Sql } from "./database.ts";

/** Key of the advisory lock that lets one writer of declarations at a time through. */
const LOCK_KEY = 7_101_021;

/** Brings declared edges up to the newest version of every active DAG. Returns the DAGs that changed. Cheap when none did. */
export async function syncDeclarations(db: Database): Promise<string[]> {
  const stale = await staleDags(db);
  if (stale.length === 0) return [];
  return db.transaction(async (sql) => {
    await sql.query("select pg_advisory_xact_lock($1)", [LOCK_KEY]);
    const changed = await staleDags(sql);
    for (const one of changed) await declare(sql, one);
    return changed.map((one) => one.dag_id);
  });
}

interface StaleDag {
  readonly dag_id: string;
  /** Version id, or `gone`. */
  readonly version: string;
  readonly spec: DagSpec | null;
}

async function staleDags(sql: Sql): Promise<StaleDag[]> {
  const found = await sql.query<StaleDag>(
    `select d.dag_id, case when d.active then d.version_id::text else 'gone' end as version,
       case when d.active then v.spec end as spec
     from dag d join dag_version v on v.id = d.version_id left join catalog_declared c on c.dag_id = d.dag_id
     where c.version is distinct from case when d.active then d.version_id::text else 'gone' end
     order by d.dag_id`,
  );
  return found.rows;
}

async function declare(sql: Sql, dag: StaleDag): Promise<void> {
  // Edges that only an older version declared, and no run was seen doing, go.
  await sql.query(
    `update catalog_edge e set declared = false from catalog_job j
     where j.dag_id = $1 and e.declared and (e.source = j.job_id or e.target = j.job_id)`,
    [dag.dag_id],
  );
  if (dag.spec) await declareTasks(sql, dag.spec);
  await sql.query(
    `delete from catalog_edge e using catalog_job j
     where j.dag_id = $1 and not e.declared and e.observed_at is null and (e.source = j.job_id or e.target = j.job_id)`,
    [dag.dag_id],
  );
  await sql.query(
    `insert into catalog_declared (dag_id, version) values ($1, $2) on conflict (dag_id) do update set version = excluded.version`,
    [dag.dag_id, dag.version],
  );
}

async function declareTasks(sql: Sql, spec: DagSpec): Promise<void> {
  const tasks = spec.tasks.filter((task) => task.reads.length + task.emits.length > 0);
  const ids = await ensureDatasets(sql, [
    ...spec.datasets.map((one) => one.id),
    ...tasks.flatMap((task) => [...task.reads, ...task.emits]),
  ]);
  await describeDatasets(sql, spec, new Set(tasks.flatMap((task) => task.emits)));
  const edges: { source: string; target: string }[] = [];
  for (const task of tasks) {
    const jobId = await ensureJob(sql, taskJob(spec.dagId, task.taskId));
    for (const name of task.reads) edges.push({ source: ids.get(name) as string, target: jobId });
    for (const name of task.emits) edges.push({ source: jobId, target: ids.get(name) as string });
  }
  await sql.query(
    `insert into catalog_edge (source, target, declared) select distinct s, t, true from unnest($1::bigint[], $2::bigint[]) as x(s, t)
     order by s, t on conflict (source, target) do update set declared = true`,
    [edges.map((edge) => edge.source), edges.map((edge) => edge.target)],
  );
}

/** Descriptions and owners as declared; the owner of a DAG owns what it writes unless the dataset names another. */
async function describeDatasets(sql: Sql, spec: DagSpec, written: ReadonlySet<string>): Promise<void> {
  const known = new Map<string, DatasetSpec>(spec.datasets.map((one) => [one.id, one]));
  for (const name of written) {
    if (!known.has(name)) known.set(name, { id: name, description: null, owner: null });
  }
  const rows = [...known.values()].map((one) => ({
    name: one.id,
    description: one.description,
    owner: one.owner ?? (written.has(one.id) ? spec.owner : null),
  }));
  await sql.query(
    `update catalog_dataset d set description = coalesce(x.description, d.description), owner = coalesce(x.owner, d.owner)
     from jsonb_to_recordset($1::jsonb) as x(name text, description text, owner text) where d.name = x.name`,
    [JSON.stringify(rows)],
  );
}
