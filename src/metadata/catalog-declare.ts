/** Takes what DAGs and services declare (datasets, reads, emits) into the catalog, whenever one of them has a new version. */
import type { ServiceSpec } from "../dag/service-spec.ts";
import type { DagSpec, DatasetSpec } from "../dag/spec.ts";
import { ensureDatasets, ensureJob, type JobIdentity, serviceJob, taskJob } from "./catalog-nodes.ts";
import type { Database, Sql } from "./database.ts";

/** Key of the advisory lock that lets one writer of declarations at a time through. */
const LOCK_KEY = 7_101_021;

/** Brings declared edges up to the newest version of every active DAG and service. Returns the ids of those that changed. Cheap when none did. */
export async function syncDeclarations(db: Database): Promise<string[]> {
  const stale = await staleOnes(db);
  if (stale.length === 0) return [];
  return db.transaction(async (sql) => {
    await sql.query("select pg_advisory_xact_lock($1)", [LOCK_KEY]);
    const changed = await staleOnes(sql);
    for (const one of changed) await redeclare(sql, one);
    return changed.map((one) => one.id);
  });
}

/** Something whose edges are those of another version than its newest; no spec = it is gone. */
type Stale = { readonly id: string; readonly version: string } & (
  | { readonly kind: "dag"; readonly spec: DagSpec | null }
  | { readonly kind: "service"; readonly spec: ServiceSpec | null }
);

async function staleOnes(sql: Sql): Promise<Stale[]> {
  const found = await sql.query<Stale>(
    `select 'dag' as kind, d.dag_id as id, case when d.active then d.version_id::text else 'gone' end as version,
       case when d.active then v.spec end as spec
     from dag d join dag_version v on v.id = d.version_id left join catalog_declared c on c.dag_id = d.dag_id
     where c.version is distinct from case when d.active then d.version_id::text else 'gone' end
     union all
     select 'service', s.service_id, case when s.active then s.version_id::text else 'gone' end, case when s.active then v.spec end
     from service s join service_version v on v.id = s.version_id left join catalog_declared_service c on c.service_id = s.service_id
     where c.version is distinct from case when s.active then s.version_id::text else 'gone' end
     order by 1, 2`,
  );
  return found.rows;
}

/** What differs between DAGs and services: where their jobs are found, and where is kept what was declared. */
const PLACES = {
  dag: { owner: "dag_id", kept: "catalog_declared" },
  service: { owner: "service_id", kept: "catalog_declared_service" },
} as const;

async function redeclare(sql: Sql, one: Stale): Promise<void> {
  const { owner, kept } = PLACES[one.kind];
  // Edges that only an older version declared, and no run was seen doing, go.
  await sql.query(
    `update catalog_edge e set declared = false from catalog_job j
     where j.${owner} = $1 and e.declared and (e.source = j.job_id or e.target = j.job_id)`,
    [one.id],
  );
  const declaration = declarationOf(one);
  if (declaration) await declare(sql, declaration);
  await sql.query(
    `delete from catalog_edge e using catalog_job j
     where j.${owner} = $1 and not e.declared and e.observed_at is null and (e.source = j.job_id or e.target = j.job_id)`,
    [one.id],
  );
  await sql.query(
    `insert into ${kept} (${owner}, version) values ($1, $2) on conflict (${owner}) do update set version = excluded.version`,
    [one.id, one.version],
  );
}

/** A job with the datasets that it reads and writes. */
interface DeclaredJob {
  readonly job: JobIdentity;
  readonly reads: readonly string[];
  readonly emits: readonly string[];
}

interface Declaration {
  readonly jobs: readonly DeclaredJob[];
  readonly datasets: readonly DatasetSpec[];
  readonly owner: string | null;
}

function declarationOf(one: Stale): Declaration | null {
  if (one.spec === null) return null;
  if (one.kind === "service") {
    const { serviceId, reads, emits, datasets, owner } = one.spec;
    return { jobs: [{ job: serviceJob(serviceId), reads, emits }], datasets, owner };
  }
  const { dagId, tasks, datasets, owner } = one.spec;
  const jobs = tasks.flatMap(({ taskId, reads, emits }) =>
    reads.length + emits.length === 0 ? [] : [{ job: taskJob(dagId, taskId), reads, emits }],
  );
  return { jobs, datasets, owner };
}

async function declare(sql: Sql, { jobs, datasets, owner }: Declaration): Promise<void> {
  const ids = await ensureDatasets(sql, [
    ...datasets.map((one) => one.id),
    ...jobs.flatMap((job) => [...job.reads, ...job.emits]),
  ]);
  await describeDatasets(sql, { datasets, owner, written: new Set(jobs.flatMap((job) => job.emits)) });
  const edges: { source: string; target: string }[] = [];
  for (const { job, reads, emits } of jobs) {
    const jobId = await ensureJob(sql, job);
    for (const name of reads) edges.push({ source: ids.get(name) as string, target: jobId });
    for (const name of emits) edges.push({ source: jobId, target: ids.get(name) as string });
  }
  await sql.query(
    `insert into catalog_edge (source, target, declared) select distinct s, t, true from unnest($1::bigint[], $2::bigint[]) as x(s, t)
     order by s, t on conflict (source, target) do update set declared = true`,
    [edges.map((edge) => edge.source), edges.map((edge) => edge.target)],
  );
}

/** Descriptions and owners as declared; the owner of a DAG or service owns what it writes unless the dataset names another. */
async function describeDatasets(
  sql: Sql,
  { datasets, owner, written }: Pick<Declaration, "datasets" | "owner"> & { written: ReadonlySet<string> },
): Promise<void> {
  const known = new Map<string, DatasetSpec>(datasets.map((one) => [one.id, one]));
  for (const name of written) {
    if (!known.has(name)) known.set(name, { id: name, description: null, owner: null });
  }
  const rows = [...known.values()].map((one) => ({
    name: one.id,
    description: one.description,
    owner: one.owner ?? (written.has(one.id) ? owner : null),
  }));
  await sql.query(
    `update catalog_dataset d set description = coalesce(x.description, d.description), owner = coalesce(x.owner, d.owner)
     from jsonb_to_recordset($1::jsonb) as x(name text, description text, owner text) where d.name = x.name`,
    [JSON.stringify(rows)],
  );
}
