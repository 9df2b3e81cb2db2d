/** How far tasks have consumed topics, and what each task instance consumed: both are written in one transaction. */
import type { Json } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";
import { type AttemptIdentity, publishPermit } from "./attempt-writes.ts";
import type { Sql } from "./database.ts";
import { bury, type DeadMessage } from "./message-inbox.ts";

/** How far a consumer is in a partition. */
export interface ConsumerOffset {
  readonly partition: number;
  readonly topicId: string;
  readonly next: number;
}

/** Offsets of a consumer in a topic; none where it has not read it yet. */
export async function consumerOffsets(sql: Sql, consumer: string, topic: string): Promise<ConsumerOffset[]> {
  const result = await sql.query<ConsumerOffset>(
    `select partition, topic_id as "topicId", next_offset::float8 as next from consumer_offset
     where consumer = $1 and topic = $2 order by partition`,
    [consumer, topic],
  );
  return result.rows;
}

/** What a task instance consumed. */
export interface Consumption {
  readonly taskInstanceId: number;
  readonly result: Json;
  /** Where its file lies until it has its name. */
  readonly staged: string | null;
  readonly file: string | null;
}

const COLUMNS = `task_instance_id::float8 as "taskInstanceId", result, staged, file`;

/** What the task instance of an attempt has consumed, or null. */
export async function consumptionOf(sql: Sql, attempt: AttemptIdentity): Promise<Consumption | null> {
  const result = await sql.query<Consumption>(
    `select ${COLUMNS} from consumption where task_instance_id = (select task_instance_id from task_attempt where attempt_id = $1)`,
    [attempt.attemptId],
  );
  return result.rows[0] ?? null;
}

/** Consumptions of a consumer whose files have no name yet. */
export async function unpublished(sql: Sql, consumer: string): Promise<Consumption[]> {
  const result = await sql.query<Consumption>(
    `select ${COLUMNS} from consumption where consumer = $1 and staged is not null order by at`,
    [consumer],
  );
  return result.rows;
}

/** Records that a consumption's file has its name. */
export async function markPublished(sql: Sql, taskInstanceId: number): Promise<void> {
  await sql.query("update consumption set staged = null where task_instance_id = $1", [taskInstanceId]);
}

/** A piece of a partition: `from` up to, but not including, `to`; `end` = where the partition ended. */
export interface ConsumedRange {
  readonly partition: number;
  /** The offset that was kept when the attempt began; null = none was. */
  readonly known: number | null;
  readonly from: number;
  readonly to: number;
  readonly end: number;
}

/** What an attempt has consumed. */
export interface NewConsumption {
  readonly attempt: AttemptIdentity;
  readonly dagId: string;
  readonly taskId: string;
  readonly consumer: string;
  readonly topic: string;
  readonly topicId: string;
  readonly ranges: readonly ConsumedRange[];
  readonly result: Json;
  readonly staged: string | null;
  readonly file: string | null;
  readonly dead: readonly DeadMessage[];
}

/**
 * Records a consumption, moves the offsets and keeps the dead messages, in the transaction of `sql`. Throws FENCED where the attempt
 * does not own its task any more, and KAFKA_FENCED where somebody else has consumed the same meanwhile: then nothing is changed.
 */
export async function recordConsumption(sql: Sql, consumed: NewConsumption): Promise<void> {
  const { attempt, consumer, topic, topicId, ranges } = consumed;
  await publishPermit(sql, attempt);
  // guard: consume-offsets
  const moved = await sql.query(
    `insert into consumer_offset as o (consumer, topic, partition, topic_id, next_offset, end_offset)
     select $1, $2, r.partition, $3, r."to", r."end" from jsonb_to_recordset($4) as r(partition integer, "from" bigint, "to" bigint, "end" bigint)
     on conflict (consumer, topic, partition) do update
       set topic_id = excluded.topic_id, next_offset = excluded.next_offset, end_offset = excluded.end_offset
     where o.next_offset = (
       select r.known from jsonb_to_recordset($4) as r(partition integer, known bigint) where r.partition = o.partition)`,
    [consumer, topic, topicId, JSON.stringify(ranges)],
  );
  if (moved.rowCount !== ranges.length) {
    throw new QflowError("KAFKA_FENCED", `another task consumed topic ${topic} as ${consumer} at the same time`);
  }
  await sql.query(
    `insert into consumption (task_instance_id, consumer, topic, result, staged, file)
     select task_instance_id, $2, $3, $4, $5, $6 from task_attempt where attempt_id = $1`,
    [attempt.attemptId, consumer, topic, JSON.stringify(consumed.result), consumed.staged, consumed.file],
  );
  await bury(sql, { dagId: consumed.dagId, taskId: consumed.taskId }, consumed.dead);
}
