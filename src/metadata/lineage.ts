/** Receives lineage: OpenLineage events are stored as they come and processed after; tasks may report by themselves. */
import { createHash } from "node:crypto";
import { messageOf, QflowError } from "../errors.ts";
import { ensureDatasets, ensureJob, observeEdges, taskJob } from "./catalog-nodes.ts";
import type { Database, Sql } from "./database.ts";
import { applyEvent, edgesOf } from "./lineage-apply.ts";
import { readEvent } from "./lineage-event.ts";

/** Key of the advisory lock that lets one processor at a time through. */
const LOCK_KEY = 7_101_020;
const PORTION = 50;

/** Stores events; a repeated one is stored once. Returns how many were new. */
export async function storeLineageEvents(sql: Sql, events: readonly unknown[]): Promise<number> {
  if (events.length === 0) return 0;
  const texts = events.map((event) => JSON.stringify(event));
  const digests = texts.map((text) => createHash("sha256").update(text).digest());
  const stored = await sql.query(
    `insert into lineage_event (digest, body) select d, b from unnest($1::bytea[], $2::jsonb[]) as x(d, b)
     on conflict (digest) do nothing`,
    [digests, texts],
  );
  return stored.rowCount ?? 0;
}

/** Processes every stored event that was not yet. Returns when none is left; several callers take turns. */
export async function processLineage(db: Database): Promise<number> {
  let total = 0;
  for (let done = PORTION; done === PORTION; total += done) done = await db.transaction(processPortion);
  return total;
}

async function processPortion(sql: Sql): Promise<number> {
  await sql.query("select pg_advisory_xact_lock($1)", [LOCK_KEY]);
  const pending = await sql.query<{ event_id: string; body: unknown }>(
    "select event_id, body from lineage_event where processed_at is null order by event_id limit $1",
    [PORTION],
  );
  for (const row of pending.rows) {
    const problem = await applyOne(sql, row.body);
    await sql.query("update lineage_event set processed_at = now(), error = $2 where event_id = $1", [
      row.event_id,
      problem,
    ]);
  }
  return pending.rows.length;
}

/** An event that cannot be applied stays stored with the reason; the ones after it are not held up. */
async function applyOne(sql: Sql, body: unknown): Promise<string | null> {
  const read = readEvent(body);
  if ("problem" in read) return read.problem;
  await sql.query("savepoint one_event");
  try {
    await applyEvent(sql, read.facts);
    await sql.query("release savepoint one_event");
    return null;
  } catch (error) {
    await sql.query("rollback to savepoint one_event");
    return messageOf(error);
  }
}

/** What a task read and wrote, as it tells by itself. */
export interface TaskIo {
  /** Dataset names. */
  readonly reads: readonly string[];
  readonly writes: readonly {
    readonly dataset: string;
    readonly rows?: number;
    readonly partitions?: readonly string[];
  }[];
}

/** Records what an attempt read and wrote; a second call replaces the counts. Throws NOT_FOUND for an unknown attempt. */
export async function recordTaskIo(db: Database, attemptId: string, io: TaskIo): Promise<void> {
  await db.transaction(async (sql) => {
    const found = await sql.query<{ dag_id: string; task_id: string; now: Date }>(
      `select i.dag_id, i.task_id, now() as now from task_attempt a join task_instance i on i.id = a.task_instance_id
       where a.attempt_id = $1`,
      [attemptId],
    );
    const task = found.rows[0];
    if (!task) throw new QflowError("NOT_FOUND", `there is no attempt ${attemptId}`);
    const jobId = await ensureJob(sql, taskJob(task.dag_id, task.task_id));
    const facts = [
      ...io.reads.map((name) => ({ name, direction: "in" as const, rows: null, partitions: null })),
      ...io.writes.map((one) => ({
        name: one.dataset,
        direction: "out" as const,
        rows: one.rows ?? null,
        partitions: one.partitions ?? null,
      })),
    ];
    const ids = await ensureDatasets(
      sql,
      facts.map((one) => one.name),
    );
    await sql.query(
      `insert into lineage_run (run_id, job_id, name, attempt_id, state, ended_at, event_at)
       values ($1, $2, $3, $1, 'COMPLETE', now(), now())
       on conflict (run_id) do update set event_at = now(), ended_at = now(), state = 'COMPLETE'`,
      [attemptId, jobId, `${task.dag_id}.${task.task_id}`],
    );
    await sql.query(
      `insert into lineage_io (run_id, dataset_id, direction, row_count, partitions, at)
       select distinct on (dataset_id, direction) $1::uuid, dataset_id, direction, rows,
         case when partitions is null or partitions = 'null' then null else array(select jsonb_array_elements_text(partitions)) end, now()
       from jsonb_to_recordset($2::jsonb) as x(dataset_id bigint, direction text, rows bigint, partitions jsonb)
       order by dataset_id, direction, rows desc nulls last
       on conflict (run_id, dataset_id, direction) do update set row_count = excluded.row_count, partitions = excluded.partitions, at = excluded.at`,
      [attemptId, JSON.stringify(facts.map((one) => ({ ...one, dataset_id: ids.get(one.name) })))],
    );
    await observeEdges(sql, edgesOf(facts, jobId, ids), task.now);
  });
}

/** What is known about an attempt's reads and writes. */
export interface AttemptLineage {
  /** Whether one of its OpenLineage runs completed with at least one input and one output. */
  readonly complete: boolean;
  /** Dataset names, sorted. */
  readonly inputs: string[];
  readonly outputs: string[];
}

/** Lineage of an attempt, after everything that has come in so far was processed. */
export async function lineageForAttempt(db: Database, attemptId: string): Promise<AttemptLineage> {
  await processLineage(db);
  const found = await db.query<{ complete: boolean; inputs: string[]; outputs: string[] }>(
    `with runs as (select run_id, state from lineage_run where attempt_id = $1),
       io as (select o.*, d.name from lineage_io o join catalog_dataset d using (dataset_id) where o.run_id in (select run_id from runs))
     select
       exists (select from runs r where r.state = 'COMPLETE'
         and exists (select from io where io.run_id = r.run_id and direction = 'in')
         and exists (select from io where io.run_id = r.run_id and direction = 'out')) as complete,
       array(select distinct name from io where direction = 'in' order by name) as inputs,
       array(select distinct name from io where direction = 'out' order by name) as outputs`,
    [attemptId],
  );
  return found.rows[0] ?? { complete: false, inputs: [], outputs: [] };
}
