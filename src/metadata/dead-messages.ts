/** Messages that could not be used: what people see of them, and their way back into the inbox. */
import type { MessageSchedule } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";
import type { Sql } from "./database.ts";
import { KEPT_BYTES } from "./message-inbox.ts";
import { Filter, type Page, type Slice } from "./views/filter.ts";
import { wakeWith } from "./wake.ts";

/** Whether a dead message was given another try. */
export const DEAD_MESSAGE_STATES = ["open", "replayed"] as const;
/** One of {@link DEAD_MESSAGE_STATES}. */
export type DeadMessageState = (typeof DEAD_MESSAGE_STATES)[number];

/** A dead message without its content. */
export interface DeadMessageRow {
  readonly id: string;
  readonly dag_id: string;
  /** Null = it was to start a run of the DAG. */
  readonly task_id: string | null;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly sent_at: Date;
  readonly bytes: number;
  readonly reason: string;
  readonly at: Date;
  readonly state: DeadMessageState;
  readonly replayed_at: Date | null;
}

/** A dead message with what it holds. */
export interface DeadMessageContent extends DeadMessageRow {
  readonly key: Buffer | null;
  /** Null where there is none, or it was too large to be kept; `bytes` tells them apart. */
  readonly value: Buffer | null;
}

/** What a list can be narrowed by. */
export interface DeadMessageSearch {
  readonly dagId?: string | undefined;
  readonly state?: DeadMessageState | undefined;
}

const COLUMNS = `id::text, dag_id, task_id, topic, partition, message_offset::text as "offset", sent_at, bytes, reason, at,
  case when replayed_at is null then 'open' else 'replayed' end as state, replayed_at`;

/** Dead messages, newest first. */
export async function listDeadMessages(
  sql: Sql,
  { dagId, state }: DeadMessageSearch,
  { limit, offset }: Omit<Slice, "orderBy">,
): Promise<Page<DeadMessageRow>> {
  const filter = new Filter().add("dag_id = $", dagId);
  if (state !== undefined) filter.add("(replayed_at is null) = $", state === "open");
  const counted = await sql.query<{ n: number }>(
    `select count(*)::integer as n from dead_message ${filter.sql}`,
    filter.values,
  );
  const rows = await sql.query<DeadMessageRow>(
    `select ${COLUMNS} from dead_message ${filter.sql} order by dead_message.id desc limit ${filter.bind(limit)} offset ${filter.bind(offset)}`,
    filter.values,
  );
  return { rows: rows.rows, total: counted.rows[0]?.n ?? 0 };
}

/** One dead message. Throws NOT_FOUND. */
export async function getDeadMessage(sql: Sql, id: number): Promise<DeadMessageContent> {
  const found = await sql.query<DeadMessageContent>(`select ${COLUMNS}, key, value from dead_message where id = $1`, [
    id,
  ]);
  const row = found.rows[0];
  if (!row) throw new QflowError("NOT_FOUND", `there is no dead message ${id}`);
  return row;
}

/** A dead message that is to be tried again, locked by the transaction of whoever took it. */
export interface OpenDeadMessage {
  readonly id: number;
  readonly dagId: string;
  readonly taskId: string | null;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly dedupeKey: string | null;
  /** Of the DAG as it is now; null = messages do not start it, or nobody declares it. */
  readonly schedule: MessageSchedule | null;
}

/** Which ones: by id, or all of a DAG that were to start a run. */
export type DeadMessageChoice = { readonly ids: readonly number[] } | { readonly dagId: string };

/** Open dead messages in the order in which they came, at most `limit`. One that somebody else is trying again is left out. */
export async function takeOpen(sql: Sql, choice: DeadMessageChoice, limit: number): Promise<OpenDeadMessage[]> {
  const [where, value] =
    "ids" in choice ? ["m.id = any ($1::bigint[])", choice.ids] : ["m.dag_id = $1 and m.task_id is null", choice.dagId];
  const result = await sql.query<OpenDeadMessage>(
    `select m.id::float8 as id, m.dag_id as "dagId", m.task_id as "taskId", m.key, m.value, m.dedupe_key as "dedupeKey",
       case when d.active and d.schedule ->> 'kind' = 'messages' then d.schedule end as schedule
     from dead_message m left join dag d on d.dag_id = m.dag_id
     where ${where} and m.replayed_at is null order by m.id limit $2 for no key update of m skip locked`,
    [value, limit],
  );
  return result.rows;
}

/**
 * Puts dead messages back into the inbox, each under its dedupe key, and closes them. Returns how many are to start something; the others
 * would be a second message of a key that was used.
 */
export async function putBack(
  sql: Sql,
  messages: readonly { readonly id: number; readonly dedupeKey: string }[],
): Promise<number> {
  if (messages.length === 0) return 0;
  const ids = messages.map(({ id }) => id);
  // guard: message-replay-once
  const back = await sql.query(
    `insert into message_inbox as i (dag_id, dedupe_key, topic, partition, message_offset, sent_at, key, value, bytes)
     select m.dag_id, r.dedupe_key, m.topic, m.partition, m.message_offset, m.sent_at, m.key,
       case when m.bytes <= $3 then m.value end, m.bytes
     from unnest($1::bigint[], $2::text[]) r (id, dedupe_key) join dead_message m using (id) order by m.id
     on conflict (dag_id, dedupe_key) do update set taken_at = null, tries = 0, value = excluded.value, received_at = now()
     where i.taken_at is not null
       and (i.topic, i.partition, i.message_offset) = (excluded.topic, excluded.partition, excluded.message_offset)`,
    [ids, messages.map(({ dedupeKey }) => dedupeKey), KEPT_BYTES],
  );
  await sql.query("update dead_message set replayed_at = now() where id = any ($1::bigint[])", [ids]);
  await wakeWith(sql, "qflow_scheduler");
  return back.rowCount ?? 0;
}

/** How many of a DAG's messages that were to start a run are open. */
export async function countOpen(sql: Sql, dagId: string): Promise<number> {
  const result = await sql.query<{ n: number }>(
    "select count(*)::integer as n from dead_message where dag_id = $1 and task_id is null and replayed_at is null",
    [dagId],
  );
  return result.rows[0]?.n ?? 0;
}
