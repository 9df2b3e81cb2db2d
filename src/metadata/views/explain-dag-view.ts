/** Reads what decides about a DAG's next run. */
import type { ScheduleSpec } from "../../dag/spec.ts";
import { QflowError } from "../../errors.ts";
import type { Sql } from "../database.ts";
import { type MessageBacklog, messageBacklogs } from "../message-sources.ts";

/** Why a DAG file could not be loaded. */
export interface ImportErrorFact {
  readonly file: string;
  readonly message: string;
  readonly line: number | null;
}

/** What is known about a DAG and its next run. */
export interface DagFacts {
  readonly dagId: string;
  readonly active: boolean;
  readonly paused: boolean;
  readonly schedule: ScheduleSpec | null;
  /** Whether the next tick is still to be computed. */
  readonly planPending: boolean;
  readonly nextRunAfter: Date | null;
  readonly maxActiveRuns: number;
  /** The database's clock. */
  readonly now: Date;
  readonly importError: ImportErrorFact | null;
  /** Runs that are not part of a backfill: how many run, how many wait, and the oldest of both. */
  readonly running: number;
  readonly queued: number;
  readonly activeRuns: readonly string[];
  /** Datasets of its schedule that have events it has not had; per partition where it runs once a partition. */
  readonly fresh: readonly string[];
  readonly partitions: readonly { readonly partition: string; readonly datasets: readonly string[] }[];
  /** What waits of the topic of its schedule; null where it has none. */
  readonly messages: MessageBacklog | null;
}

/** Runs and partitions that are named. */
const NAMED = 10;

/** The facts of a DAG. Throws NOT_FOUND. */
export async function readDagFacts(sql: Sql, dagId: string): Promise<DagFacts> {
  const found = await sql.query<DagFacts>(
    `select null as messages, d.dag_id as "dagId", d.active, d.paused, d.schedule, d.plan_pending as "planPending", d.next_run_after as "nextRunAfter",
       d.max_active_runs as "maxActiveRuns", now() as now,
       (select jsonb_build_object('file', e.file, 'message', e.message, 'line', e.line) from import_error e where e.file = d.file)
         as "importError",
       a.running, a.queued, a.names as "activeRuns",
       array(select c.dataset from dataset_cursor c where c.dag_id = d.dag_id and (
         exists (select from dataset_event e where e.dataset = c.dataset and e.id > c.event_id)
         or exists (select from dataset_waiting w where w.dag_id = d.dag_id and w.dataset = c.dataset)) order by 1) as fresh,
       (select coalesce(jsonb_agg(jsonb_build_object('partition', p.partition, 'datasets', p.datasets)), '[]') from (
         select w.partition, array_agg(distinct w.dataset) as datasets from dataset_waiting w where w.dag_id = d.dag_id and not w.ready
         group by w.partition order by w.partition limit $2) p) as partitions
     from dag d cross join lateral (
       select (count(*) filter (where r.state = 'running'))::integer as running, (count(*) filter (where r.state = 'queued'))::integer as queued,
         coalesce((array_agg(r.run_id order by r.state desc, r.id))[:$2], '{}') as names
       from dag_run r where r.dag_id = d.dag_id and r.state in ('queued', 'running') and r.backfill_id is null) a
     where d.dag_id = $1`,
    [dagId, NAMED],
  );
  const row = found.rows[0];
  if (!row) throw new QflowError("NOT_FOUND", `there is no DAG ${dagId}`);
  if (row.schedule?.kind !== "messages") return row;
  return { ...row, messages: (await messageBacklogs(sql, dagId))[0] ?? null };
}
