/** Messages on their way from a topic to a run, and those that came to nothing. */
import type { Sql } from "./database.ts";
import type { MessageCursor } from "./message-sources.ts";

/** Values above this are not handed to runs: those are told where the message is. */
export const KEPT_BYTES = 65_536;

/** A message as it is kept. */
export interface KeptMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly sentAt: Date;
  readonly key: Buffer | null;
  /** Null where there is none, or it is too large to be kept; `bytes` tells them apart. */
  readonly value: Buffer | null;
  readonly bytes: number;
}

/** A message that is to start something. */
export interface NewMessage extends KeptMessage {
  /** A second one with the same is dropped. */
  readonly dedupeKey: string;
}

/** A message that cannot be used. */
export interface DeadMessage extends KeptMessage {
  readonly reason: string;
  /** Where it had one. */
  readonly dedupeKey?: string;
}

/** What one read of a topic brought. */
export interface Intake {
  readonly dagId: string;
  readonly lease: string;
  readonly topicId: string;
  readonly epoch: number;
  readonly messages: readonly NewMessage[];
  readonly dead: readonly DeadMessage[];
  readonly cursors: readonly MessageCursor[];
}

/**
 * Takes messages in and moves the cursors past them, in the transaction of `sql`. Returns how many are new; null where the lease is
 * somebody else's by now: then nothing has changed.
 */
export async function takeIn(sql: Sql, intake: Intake): Promise<number | null> {
  const { dagId, messages, cursors } = intake;
  // guard: message-fence
  const mine = await sql.query(
    `update message_source set topic_id = $3, epoch = $4, problem = null, looked_at = now()
     where dag_id = $1 and lease = $2 and leased_until > now()`,
    [dagId, intake.lease, intake.topicId, intake.epoch],
  );
  if (mine.rowCount === 0) return null;
  // guard: message-once
  const added = await sql.query(
    `insert into message_inbox (dag_id, dedupe_key, topic, partition, message_offset, sent_at, key, value, bytes)
     select $1, m.* from unnest($2::text[], $3::text[], $4::integer[], $5::bigint[], $6::timestamptz[], $7::bytea[], $8::bytea[], $9::integer[]) m
     on conflict (dag_id, dedupe_key) do nothing`,
    [dagId, messages.map((message) => message.dedupeKey), ...columnsOf(messages)],
  );
  await bury(sql, { dagId, taskId: null }, intake.dead);
  await sql.query(
    `insert into message_cursor (dag_id, partition, next_offset, end_offset, missed)
     select $1, c.* from unnest($2::integer[], $3::bigint[], $4::bigint[], $5::bigint[]) c
     on conflict (dag_id, partition) do update
       set next_offset = excluded.next_offset, end_offset = excluded.end_offset, missed = excluded.missed`,
    [
      dagId,
      cursors.map(({ partition }) => partition),
      cursors.map(({ next }) => next),
      cursors.map(({ end }) => end),
      cursors.map(({ missed }) => missed),
    ],
  );
  return added.rowCount ?? 0;
}

/**
 * Keeps messages that cannot be used; the same one is kept once, and is open again where it was replayed. One whose value was not kept has
 * no hash: it is found in its topic.
 */
export async function bury(
  sql: Sql,
  of: { readonly dagId: string; readonly taskId: string | null },
  dead: readonly DeadMessage[],
): Promise<void> {
  if (dead.length === 0) return;
  await sql.query(
    `insert into dead_message as old (dag_id, task_id, topic, partition, message_offset, sent_at, key, value, bytes, reason, dedupe_key, sha256)
     select $1, $2, m.*, case when m.value is not null or m.bytes = 0 then sha256(coalesce(m.value, '')) end
     from unnest($3::text[], $4::integer[], $5::bigint[], $6::timestamptz[], $7::bytea[], $8::bytea[], $9::integer[], $10::text[], $11::text[])
       m (topic, partition, message_offset, sent_at, key, value, bytes, reason, dedupe_key)
     on conflict (dag_id, coalesce(task_id, ''), topic, partition, message_offset, sha256) do update
       set reason = excluded.reason, at = now(), replayed_at = null, dedupe_key = coalesce(excluded.dedupe_key, old.dedupe_key)
       where old.replayed_at is not null`,
    [
      of.dagId,
      of.taskId,
      ...columnsOf(dead),
      dead.map(({ reason }) => reason),
      dead.map(({ dedupeKey }) => dedupeKey ?? null),
    ],
  );
}

function columnsOf(messages: readonly KeptMessage[]): unknown[] {
  return [
    messages.map(({ topic }) => topic),
    messages.map(({ partition }) => partition),
    messages.map(({ offset }) => offset),
    messages.map(({ sentAt }) => sentAt),
    messages.map(({ key }) => key),
    messages.map(({ value }) => value),
    messages.map(({ bytes }) => bytes),
  ];
}

/** A message that waits for a run. */
export interface WaitingMessage extends KeptMessage {
  readonly id: number;
  readonly dedupeKey: string;
  /** How often making a run of it has failed. */
  readonly tries: number;
}

/** DAGs that are not paused, have room for a run, and enough messages for one. */
export async function messageDags(sql: Sql): Promise<string[]> {
  const result = await sql.query<{ dag_id: string }>(
    `select d.dag_id from message_source s join dag d using (dag_id)
     cross join lateral (select received_at from message_inbox m where m.dag_id = d.dag_id and m.taken_at is null order by id limit 1) oldest
     where d.active and not d.paused and (jsonb_typeof(d.schedule -> 'window') = 'null'
       or oldest.received_at <= now() - make_interval(secs => (d.schedule #>> '{window,milliseconds}')::float8 / 1000)
       or (d.schedule #>> '{window,messages}')::integer <= (select count(*) from (
         select from message_inbox m where m.dag_id = d.dag_id and m.taken_at is null limit (d.schedule #>> '{window,messages}')::integer) w))
       and (select count(*) from dag_run r where r.dag_id = d.dag_id and r.state in ('queued', 'running') and r.backfill_id is null) < d.max_active_runs
     order by d.dag_id`,
  );
  return result.rows.map((row) => row.dag_id);
}

/** The oldest messages that wait for runs of a DAG. */
export async function waitingMessages(sql: Sql, dagId: string, limit: number): Promise<WaitingMessage[]> {
  const result = await sql.query<WaitingMessage>(
    `select id::float8 as id, topic, partition, message_offset::float8 as "offset", sent_at as "sentAt", key, value, bytes, tries,
       dedupe_key as "dedupeKey"
     from message_inbox where dag_id = $1 and taken_at is null order by id limit $2`,
    [dagId, limit],
  );
  return result.rows;
}

/** Marks messages as done with: a run has them, or they are dead. Their keys stay, so that no second one starts anything. */
export async function markTaken(sql: Sql, ids: readonly number[]): Promise<void> {
  await sql.query("update message_inbox set taken_at = now(), value = null where id = any ($1)", [ids]);
}

/** Counts a try that failed. */
export async function countTry(sql: Sql, ids: readonly number[]): Promise<void> {
  await sql.query("update message_inbox set tries = tries + 1 where id = any ($1)", [ids]);
}
