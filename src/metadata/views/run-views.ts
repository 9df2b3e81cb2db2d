/** Reads DAG runs as lists and pages show them. */
import type { Json } from "../../dag/spec.ts";
import { QflowError } from "../../errors.ts";
import type { Sql } from "../database.ts";
import type { DagVersionRow } from "./dag-views.ts";
import { Filter, type Page, type PagePart, readPage, type Slice } from "./filter.ts";
import { refuseWideOrder, totalOf } from "./total.ts";

/** A DAG run with its version. */
export interface RunRow {
  readonly id: string;
  readonly dag_id: string;
  readonly run_id: string;
  readonly kind: "scheduled" | "manual" | "dataset" | "backfill" | "message";
  readonly state: "queued" | "running" | "success" | "failed";
  readonly logical_date: Date | null;
  readonly interval_start: Date | null;
  readonly interval_end: Date | null;
  readonly run_after: Date;
  readonly queued_at: Date;
  readonly started_at: Date | null;
  readonly ended_at: Date | null;
  /** Seconds; so far when running. */
  readonly duration: number | null;
  readonly conf: Json;
  readonly triggered_by: string;
  readonly note: string | null;
  readonly partition: string | null;
  readonly version: DagVersionRow;
}

/** What a list of runs can be narrowed by. Dates are inclusive. */
export interface RunFilter {
  /** Undefined = of every DAG. */
  readonly dagId?: string | undefined;
  readonly runId?: string | undefined;
  readonly states?: readonly string[] | undefined;
  readonly kinds?: readonly string[] | undefined;
  readonly logicalDateFrom?: Date | undefined;
  readonly logicalDateTo?: Date | undefined;
  readonly runAfterFrom?: Date | undefined;
  readonly runAfterTo?: Date | undefined;
  readonly startedFrom?: Date | undefined;
  readonly startedTo?: Date | undefined;
}

const RUN_COLUMNS = `
  r.id, r.dag_id, r.run_id, r.kind, r.state, r.logical_date, r.interval_start, r.interval_end, r.run_after, r.queued_at,
  r.started_at, r.ended_at, extract(epoch from coalesce(r.ended_at, now()) - r.started_at)::float8 as duration,
  r.conf, r.triggered_by, r.note, r.partition,
  json_build_object('id', v.id::text, 'dag_id', v.dag_id, 'number', v.number, 'bundle_hash', v.bundle_hash,
    'created_at', v.created_at) as version`;

/** Names a list of runs can be ordered by. */
export const RUN_ORDER = {
  id: "r.id",
  dag_id: "r.dag_id",
  dag_run_id: "r.run_id",
  run_id: "r.run_id",
  state: "r.state",
  logical_date: "r.logical_date",
  run_after: "r.run_after",
  start_date: "r.started_at",
  end_date: "r.ended_at",
  queued_at: "r.queued_at",
} as const;

/** Orders that an index serves: of all runs, and beyond these of a DAG's. */
const RUN_ORDER_SERVED = ["id", "run_after", "logical_date", "start_date", "end_date", "queued_at"];
const DAG_RUN_ORDER_SERVED = [...RUN_ORDER_SERVED, "dag_run_id", "run_id"];

/** Lists runs. Throws REQUEST_INVALID for many in an order that no index serves. */
export async function listRuns(sql: Sql, wanted: RunFilter, slice: Slice): Promise<Page<RunRow>> {
  const filter = runConditions(wanted);
  const total = await totalOf(sql, `from dag_run r ${filter.sql}`, [...filter.values]);
  refuseWideOrder(slice, total, wanted.dagId === undefined ? RUN_ORDER_SERVED : DAG_RUN_ORDER_SERVED);
  const rows = await readPage(slice, {
    columns: RUN_ORDER,
    tail: "r.id",
    read: (part) => readRuns(sql, wanted, part),
    count: async (condition) => {
      const { sql: where, values } = runConditions(wanted).and(condition);
      const counted = await sql.query<{ n: number }>(`select count(*)::float8 as n from dag_run r ${where}`, values);
      return counted.rows[0]?.n ?? 0;
    },
  });
  return { rows, total };
}

async function readRuns(sql: Sql, wanted: RunFilter, { condition, order, limit, offset }: PagePart): Promise<RunRow[]> {
  const filter = runConditions(wanted).and(condition);
  const rows = `limit ${filter.bind(limit)} offset ${filter.bind(offset)}`;
  // The page first: what is shown of a run is put together for its rows alone.
  const found = await sql.query<RunRow>(
    `select ${RUN_COLUMNS} from (select r.* from dag_run r ${filter.sql} ${order} ${rows}) r join dag_version v on v.id = r.version_id ${order}`,
    filter.values,
  );
  return found.rows;
}

function runConditions(wanted: RunFilter): Filter {
  return new Filter()
    .add("r.dag_id = $", wanted.dagId)
    .add("r.run_id = $", wanted.runId)
    .add("r.state = any ($)", wanted.states?.length ? wanted.states : undefined)
    .add("r.kind = any ($)", wanted.kinds?.length ? wanted.kinds : undefined)
    .add("r.logical_date >= $", wanted.logicalDateFrom)
    .add("r.logical_date <= $", wanted.logicalDateTo)
    .add("r.run_after >= $", wanted.runAfterFrom)
    .add("r.run_after <= $", wanted.runAfterTo)
    .add("r.started_at >= $", wanted.startedFrom)
    .add("r.started_at <= $", wanted.startedTo);
}

/** One run. Throws NOT_FOUND. */
export async function getRun(sql: Sql, dagId: string, runId: string): Promise<RunRow> {
  const page = await listRuns(sql, { dagId, runId }, { limit: 1, offset: 0, orderBy: [] });
  const row = page.rows[0];
  if (row) return row;
  throw new QflowError("NOT_FOUND", `The DagRun with dag_id: \`${dagId}\` and run_id: \`${runId}\` was not found`);
}
