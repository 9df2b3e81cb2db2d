/** Reads task instances, their tries and their values as lists and pages show them. */
import type { Json } from "../../dag/spec.ts";
import { QflowError } from "../../errors.ts";
import type { Sql } from "../database.ts";
import type { FailureReport } from "../work-types.ts";
import type { DagVersionRow } from "./dag-views.ts";
import { Filter, type Page, type PagePart, readPage, type Slice } from "./filter.ts";
import { refuseWideOrder, totalOf } from "./total.ts";

/** A task instance with its run, its definition and its newest attempt. */
export interface TaskInstanceRow {
  readonly id: string;
  readonly dag_id: string;
  readonly run_id: string;
  readonly task_id: string;
  readonly task_index: number;
  readonly map_index: number;
  readonly state: string;
  readonly reason: string | null;
  readonly logical_date: Date | null;
  readonly run_after: Date;
  readonly queued_at: Date | null;
  readonly started_at: Date | null;
  readonly ended_at: Date | null;
  /** Seconds; so far when running. */
  readonly duration: number | null;
  readonly try_number: number;
  readonly max_tries: number;
  readonly pool: string;
  readonly pool_slots: number;
  readonly queue: string;
  readonly priority: number;
  /** Operator's name, or the kind of function. */
  readonly operator: string;
  readonly attempt_id: string | null;
  readonly host: string | null;
  readonly pid: number | null;
  readonly error: FailureReport | null;
  readonly progress: Json;
  readonly note: string | null;
  readonly version: DagVersionRow;
}

/** What a list of task instances can be narrowed by; undefined dag or run = any. */
export interface TaskInstanceFilter {
  readonly dagId?: string | undefined;
  readonly runId?: string | undefined;
  readonly taskId?: string | undefined;
  readonly mapIndex?: number | undefined;
  readonly states?: readonly string[] | undefined;
  readonly pools?: readonly string[] | undefined;
}

const INSTANCE_COLUMNS = `
  i.id, i.dag_id, r.run_id, i.task_id, i.task_index, i.map_index, r.logical_date, r.run_after, i.pool, i.pool_slots, i.queue, i.priority,
  i.note,
  coalesce(t.operator ->> 'name', t.kind) as operator, t.retries + i.uncounted_tries as max_tries,
  json_build_object('id', v.id::text, 'dag_id', v.dag_id, 'number', v.number, 'bundle_hash', v.bundle_hash,
    'created_at', v.created_at) as version`;

/** What instances are picked and ordered by. */
const INSTANCE_PICK = "from task_instance i join dag_run r on r.id = i.dag_run_id";

/** What is shown of the instances that `instances` yields. */
const instanceFrom = (instances: string) => `
  from ${instances} i
  join dag_run r on r.id = i.dag_run_id
  join dag_version v on v.id = i.version_id
  join task_def t on t.version_id = i.version_id and t.task_id = i.task_id`;

const NEWEST_ATTEMPT = `
  left join task_attempt a on a.attempt_id = i.attempt_id
  left join worker w on w.worker_id = a.worker_id`;

/** Names a list of task instances can be ordered by. */
export const INSTANCE_ORDER = {
  id: "i.id",
  task_id: "i.task_id",
  map_index: "i.map_index",
  state: "i.state",
  start_date: "i.started_at",
  end_date: "i.ended_at",
  duration: "(i.ended_at - i.started_at)",
  logical_date: "r.logical_date",
  run_after: "r.run_after",
} as const;

/** Orders that an index serves; those that failed are indexed by their end, too. */
function servedOrders({ states }: TaskInstanceFilter): string[] {
  return states?.length === 1 && states[0] === "failed" ? ["id", "end_date"] : ["id"];
}

/**
 * Lists task instances, in the DAG's order unless asked otherwise. Throws REQUEST_INVALID for many of several runs in an order that
 * no index serves: one more index would be written with every task.
 */
export async function listTaskInstances(
  sql: Sql,
  wanted: TaskInstanceFilter,
  slice: Slice,
): Promise<Page<TaskInstanceRow>> {
  const filter = instanceConditions(wanted);
  const total = await totalOf(sql, `from task_instance i ${filter.sql}`, [...filter.values]);
  const isOfOneRun = wanted.dagId !== undefined && wanted.runId !== undefined;
  if (!isOfOneRun) refuseWideOrder(slice, total, servedOrders(wanted));
  const rows = await readPage(slice, {
    columns: INSTANCE_ORDER,
    tail: "i.dag_run_id desc, i.task_index, i.map_index",
    read: (part) => readInstances(sql, wanted, part),
    count: async (condition) => {
      const { sql: where, values } = instanceConditions(wanted).and(condition);
      const counted = await sql.query<{ n: number }>(`select count(*)::float8 as n ${INSTANCE_PICK} ${where}`, values);
      return counted.rows[0]?.n ?? 0;
    },
  });
  return { rows, total };
}

function instanceConditions(wanted: TaskInstanceFilter): Filter {
  return new Filter()
    .add("i.dag_id = $", wanted.dagId)
    .add("i.dag_run_id = any (select id from dag_run where run_id = $)", wanted.runId)
    .add("i.task_id = $", wanted.taskId)
    .add("i.map_index = $", wanted.mapIndex)
    .add("i.state = any ($)", wanted.states?.length ? wanted.states : undefined)
    .add("i.pool = any ($)", wanted.pools?.length ? wanted.pools : undefined);
}

async function readInstances(
  sql: Sql,
  wanted: TaskInstanceFilter,
  { condition, order, limit, offset }: PagePart,
): Promise<TaskInstanceRow[]> {
  const filter = instanceConditions(wanted).and(condition);
  const rows = `limit ${filter.bind(limit)} offset ${filter.bind(offset)}`;
  // The page first, as with runs: what is joined to all that match may be read in a way that is right for few of them only.
  const page = `(select i.* ${INSTANCE_PICK} ${filter.sql} ${order} ${rows})`;
  const found = await sql.query<TaskInstanceRow>(
    `select ${INSTANCE_COLUMNS}, i.state, i.reason, i.queued_at, i.started_at, i.ended_at, i.try_number, i.attempt_id,
       extract(epoch from coalesce(i.ended_at, case when i.state = 'running' then now() end) - i.started_at)::float8 as duration,
       w.host_id as host, w.pid, a.error, a.progress
     ${instanceFrom(page)} ${NEWEST_ATTEMPT} ${order}`,
    filter.values,
  );
  return found.rows;
}

/** Which task instance. */
export interface InstanceKey {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: number;
}

/** One task instance. Throws NOT_FOUND. */
export async function getTaskInstance(sql: Sql, key: InstanceKey): Promise<TaskInstanceRow> {
  const page = await listTaskInstances(sql, key, { limit: 1, offset: 0, orderBy: [] });
  return page.rows[0] ?? missingInstance(key);
}

function missingInstance(key: InstanceKey): never {
  throw new QflowError(
    "NOT_FOUND",
    `The Task Instance with dag_id: \`${key.dagId}\`, run_id: \`${key.runId}\`, task_id: \`${key.taskId}\` and map_index: \`${key.mapIndex}\` was not found`,
  );
}

/** All tries of a task instance, oldest first; times, state and error are the try's own. Throws NOT_FOUND. */
export async function listTries(sql: Sql, key: InstanceKey): Promise<(TaskInstanceRow & { attempt_id: string })[]> {
  const instance = await getTaskInstance(sql, key);
  const found = await sql.query<TaskInstanceRow & { attempt_id: string }>(
    `select ${INSTANCE_COLUMNS}, a.state, null as reason, null::timestamptz as queued_at, a.started_at, a.ended_at, a.try_number,
       a.attempt_id, extract(epoch from coalesce(a.ended_at, now()) - a.started_at)::float8 as duration,
       w.host_id as host, w.pid, a.error, a.progress
     ${instanceFrom("task_instance")}
     join task_attempt a on a.task_instance_id = i.id
     left join worker w on w.worker_id = a.worker_id
     where i.id = $1 order by a.try_number`,
    [instance.id],
  );
  return found.rows;
}

/** Id of one try. Throws NOT_FOUND. */
export async function findAttempt(sql: Sql, key: InstanceKey, tryNumber: number): Promise<string> {
  const found = await sql.query<{ attempt_id: string }>(
    `select a.attempt_id from dag_run r join task_instance i on i.dag_run_id = r.id join task_attempt a on a.task_instance_id = i.id
     where r.dag_id = $1 and r.run_id = $2 and i.task_id = $3 and i.map_index = $4 and a.try_number = $5`,
    [key.dagId, key.runId, key.taskId, key.mapIndex, tryNumber],
  );
  const row = found.rows[0];
  if (row) return row.attempt_id;
  await getTaskInstance(sql, key);
  throw new QflowError("NOT_FOUND", `task instance \`${key.taskId}\` has no try ${tryNumber}`);
}

/** What a task returned. */
export interface XComRow {
  readonly dag_id: string;
  readonly run_id: string;
  readonly task_id: string;
  readonly map_index: number;
  readonly logical_date: Date | null;
  readonly run_after: Date;
  readonly at: Date;
  readonly value: Json;
}

/** Values of a run's tasks; `taskId` undefined = of all. */
export async function listXComs(
  sql: Sql,
  wanted: { dagId: string; runId: string; taskId?: string | undefined; mapIndex?: number | undefined },
  slice: Slice,
): Promise<Page<XComRow>> {
  const filter = new Filter()
    .add("r.dag_id = $", wanted.dagId)
    .add("r.run_id = $", wanted.runId)
    .add("i.task_id = $", wanted.taskId)
    .add("i.map_index = $", wanted.mapIndex);
  const from = "from xcom x join task_instance i on i.id = x.task_instance_id join dag_run r on r.id = i.dag_run_id";
  const counted = await sql.query<{ n: string }>(`select count(*) as n ${from} ${filter.sql}`, filter.values);
  const limit = `limit ${filter.bind(slice.limit)} offset ${filter.bind(slice.offset)}`;
  const found = await sql.query<XComRow>(
    `select r.dag_id, r.run_id, i.task_id, i.map_index, r.logical_date, r.run_after, x.at, coalesce(x.value, b.value) as value
     ${from} left join xcom_blob b on b.hash = x.blob_hash ${filter.sql} order by i.task_index, i.map_index ${limit}`,
    filter.values,
  );
  return { rows: found.rows, total: Number(counted.rows[0]?.n) };
}
