/** Adds what one OpenLineage event says to the graph. Any order and any repetition of events ends in the same graph. */
import {
  ensureDatasets,
  ensureJob,
  type JobIdentity,
  observeEdges,
  recordAliases,
  recordSchemas,
  taskJob,
} from "./catalog-nodes.ts";
import type { Sql } from "./database.ts";
import type { ColumnFact, DatasetFact, EventFacts } from "./lineage-event.ts";

/** Applies the facts of one event; `sql` is a transaction. */
export async function applyEvent(sql: Sql, facts: EventFacts): Promise<void> {
  const ids = await ensureDatasets(sql, [
    ...facts.datasets.map((one) => one.name),
    ...facts.columns.flatMap((one) => [one.source, one.target]),
  ]);
  let jobId = facts.job === null ? null : await ownerOf(sql, facts);
  if (facts.runId !== null && jobId !== null) {
    jobId = await applyRun(sql, facts, facts.runId, jobId);
    await applyIo(sql, facts, facts.runId, ids);
  }
  if (jobId !== null) await observeEdges(sql, edgesOf(facts.datasets, jobId, ids), facts.at);
  await recordSchemas(sql, schemasOf(facts, ids));
  await recordAliases(
    sql,
    facts.datasets.flatMap((one) => one.aliases.map((alias) => ({ alias, datasetId: ids.get(one.name) as string }))),
  );
  await applyColumns(sql, facts, ids);
}

/** The node that owns a run: the qflow task whose attempt is its root, else the root's job, else its own. */
async function ownerOf(sql: Sql, facts: EventFacts): Promise<string> {
  const task = facts.root ? await taskOfAttempt(sql, facts.root.runId) : null;
  const foreign = facts.root?.job ?? facts.job;
  return ensureJob(
    sql,
    task ?? { namespace: foreign?.namespace ?? "", name: foreign?.name ?? "", dagId: null, taskId: null },
  );
}

async function taskOfAttempt(sql: Sql, attemptId: string): Promise<JobIdentity | null> {
  const found = await sql.query<{ dag_id: string; task_id: string }>(
    `select i.dag_id, i.task_id from task_attempt a join task_instance i on i.id = a.task_instance_id where a.attempt_id = $1`,
    [attemptId],
  );
  const row = found.rows[0];
  return row ? taskJob(row.dag_id, row.task_id) : null;
}

/** State of a run by what outranks what: a terminal state wins, whatever comes after or before it. */
const RANK = "array['START', 'RUNNING', 'OTHER', 'ABORT', 'FAIL', 'COMPLETE']";

/** Merges the event into its run; returns the node that owns the run now. */
async function applyRun(sql: Sql, facts: EventFacts, runId: string, jobId: string): Promise<string> {
  const ended = ["COMPLETE", "FAIL", "ABORT"].includes(facts.type);
  const root = facts.root?.runId ?? null;
  const before = await sql.query<{ job_id: string }>("select job_id from lineage_run where run_id = $1", [runId]);
  const after = await sql.query<{ job_id: string }>(
    `insert into lineage_run as r (run_id, job_id, name, attempt_id, state, started_at, ended_at, event_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (run_id) do update set
       -- An event that names the root outranks one that does not.
       job_id = case when excluded.attempt_id is null and r.attempt_id is not null then r.job_id else excluded.job_id end,
       attempt_id = coalesce(excluded.attempt_id, r.attempt_id),
       state = (${RANK})[greatest(array_position(${RANK}, r.state), array_position(${RANK}, excluded.state))],
       started_at = least(r.started_at, excluded.started_at),
       ended_at = greatest(r.ended_at, excluded.ended_at),
       event_at = greatest(r.event_at, excluded.event_at)
     returning job_id`,
    [
      runId,
      jobId,
      facts.job?.name,
      root,
      facts.type,
      facts.type === "START" ? facts.at : null,
      ended ? facts.at : null,
      facts.at,
    ],
  );
  const owner = after.rows[0]?.job_id ?? jobId;
  const old = before.rows[0];
  if (old && old.job_id !== owner) await moveEdges(sql, runId, old.job_id, owner);
  return owner;
}

/** The run turned out to belong to another job: what was drawn for it moves there. */
async function moveEdges(sql: Sql, runId: string, from: string, to: string): Promise<void> {
  await sql.query(
    `insert into catalog_edge (source, target, observed_at)
     select case direction when 'in' then dataset_id else $2::bigint end, case direction when 'in' then $2::bigint else dataset_id end, at
     from lineage_io where run_id = $1
     on conflict (source, target) do update set observed_at = greatest(catalog_edge.observed_at, excluded.observed_at)`,
    [runId, to],
  );
  await sql.query(
    `delete from catalog_edge e where not e.declared and (e.source = $1 or e.target = $1) and not exists (
       select from lineage_run r join lineage_io o on o.run_id = r.run_id where r.job_id = $1
         and ((o.direction = 'in' and o.dataset_id = e.source) or (o.direction = 'out' and o.dataset_id = e.target)))`,
    [from],
  );
}

async function applyIo(sql: Sql, facts: EventFacts, runId: string, ids: ReadonlyMap<string, string>): Promise<void> {
  if (facts.datasets.length === 0) return;
  const rows = facts.datasets.map((one) => ({
    dataset_id: ids.get(one.name),
    direction: one.direction,
    row_count: one.rows,
    byte_count: one.bytes,
  }));
  await sql.query(
    `insert into lineage_io as o (run_id, dataset_id, direction, row_count, byte_count, at)
     select $1, dataset_id, direction, row_count, byte_count, $3
     from jsonb_to_recordset($2::jsonb) as x(dataset_id bigint, direction text, row_count bigint, byte_count bigint)
     on conflict (run_id, dataset_id, direction) do update set
       row_count = greatest(o.row_count, excluded.row_count), byte_count = greatest(o.byte_count, excluded.byte_count),
       at = greatest(o.at, excluded.at)`,
    [runId, JSON.stringify(rows), facts.at],
  );
}

/** Edges that a job's reads and writes draw. */
export function edgesOf(
  datasets: readonly Pick<DatasetFact, "name" | "direction">[],
  jobId: string,
  ids: ReadonlyMap<string, string>,
): { source: string; target: string }[] {
  return datasets.map((one) => {
    const id = ids.get(one.name) as string;
    return one.direction === "in" ? { source: id, target: jobId } : { source: jobId, target: id };
  });
}

function schemasOf(facts: EventFacts, ids: ReadonlyMap<string, string>) {
  return facts.datasets.flatMap((one) =>
    one.columns === null
      ? []
      : [
          {
            datasetId: ids.get(one.name) as string,
            dataset: one.name,
            source: one.direction === "in" ? ("input" as const) : ("output" as const),
            columns: one.columns,
            at: facts.at,
          },
        ],
  );
}

async function applyColumns(sql: Sql, facts: EventFacts, ids: ReadonlyMap<string, string>): Promise<void> {
  if (facts.columns.length === 0) return;
  const rows = facts.columns.map((one: ColumnFact) => ({
    source: ids.get(one.source),
    source_column: one.sourceColumn,
    target: ids.get(one.target),
    target_column: one.targetColumn,
    transformations: one.transformations,
  }));
  await sql.query(
    `insert into catalog_column_edge as e (source_dataset, source_column, target_dataset, target_column, transformations, observed_at)
     select source, source_column, target, target_column,
       array(select distinct t from jsonb_array_elements_text(jsonb_agg(each)) as t order by t), $2
     from jsonb_to_recordset($1::jsonb) as x(source bigint, source_column text, target bigint, target_column text, transformations jsonb)
       left join lateral jsonb_array_elements(transformations) as each on true
     group by source, source_column, target, target_column
     on conflict (target_dataset, target_column, source_dataset, source_column) do update set
       transformations = array(select distinct t from unnest(e.transformations || excluded.transformations) as t order by t),
       observed_at = greatest(e.observed_at, excluded.observed_at)`,
    [JSON.stringify(rows), facts.at],
  );
}
