/** Reads the topic of one DAG: a bounded number of messages, which are taken in as the cursors move. */
import type { MessageSchedule } from "../dag/spec.ts";
import type { Kafka, KafkaMessage, KafkaSpan, KafkaTopic } from "../kafka/index.ts";
import type { Database } from "../metadata/database.ts";
import { type DeadMessage, KEPT_BYTES, type NewMessage, takeIn } from "../metadata/message-inbox.ts";
import { ABSENT, type MessageCursor, type MessageSource } from "../metadata/message-sources.ts";
import { keyOf, whatLacks } from "./message-identity.ts";

const LIMITS = { maxBytes: 1024 * 1024, waitMs: 250 };

/** What one round did. */
export interface RoundReport {
  /** Messages that are new. */
  readonly taken: number;
  /** Whether the topic holds more than was read, and there is room for it. */
  readonly more: boolean;
  /** What was out of order with the topic and was put right. */
  readonly notes: readonly string[];
}

/** One round of reading. Throws what {@link Kafka} does. */
export async function readRound(
  database: Database,
  kafka: Kafka,
  { source, lease }: { source: MessageSource; lease: string },
): Promise<RoundReport> {
  const { dagId, schedule, room } = source;
  const topic = await kafka.topic(schedule.topic);
  const start = placeCursors(source, topic, await kafka.spans(topic));
  const behind = start.cursors.filter(({ next, end }) => next < end);
  const read = room > 0 && behind.length > 0 ? await readSome(kafka, topic, { behind, room }) : new Map<number, Read>();
  const messages = [...read.values()].flatMap((part) => part.messages);
  const sorted = messages.map((message) => sortOut(message, { schedule, topic, epoch: start.epoch }));
  const cursors = start.cursors.map((cursor) => ({ ...cursor, next: read.get(cursor.partition)?.next ?? cursor.next }));
  const moved = start.isNew || JSON.stringify(cursors) !== JSON.stringify(source.cursors) || source.problem !== null;
  if (!moved) return { taken: 0, more: false, notes: [] };
  const taken = await database.transaction((sql) =>
    takeIn(sql, {
      dagId,
      lease,
      topicId: topic.id,
      epoch: start.epoch,
      messages: sorted.flatMap((one) => ("reason" in one ? [] : [one])),
      dead: sorted.flatMap((one) => ("reason" in one ? [one] : [])),
      cursors,
    }),
  );
  const more = messages.length > 0 && messages.length < room && cursors.some(({ next, end }) => next < end);
  return { taken: taken ?? 0, more: more && taken !== null, notes: start.notes };
}

interface Start {
  readonly cursors: readonly MessageCursor[];
  readonly epoch: number;
  /** Whether the topic is seen for the first time. */
  readonly isNew: boolean;
  readonly notes: readonly string[];
}

/** Where each partition is read from. Pure. */
export function placeCursors(source: MessageSource, topic: KafkaTopic, spans: readonly KafkaSpan[]): Start {
  const { schedule, topicId } = source;
  const name = `topic ${topic.name}`;
  if (topicId !== topic.id) {
    // One that was made again begins anew; all that it holds has come since.
    const from = topicId === null ? schedule.from : "earliest";
    const cursors = spans.map(({ partition, earliest, latest }) => ({
      partition,
      next: from === "latest" ? latest : earliest,
      end: latest,
      missed: 0,
    }));
    const notes =
      topicId === null || topicId === ABSENT
        ? []
        : [`${name} is another one than before: it is read from its beginning`];
    return { cursors, epoch: source.epoch, isNew: true, notes };
  }
  const notes: string[] = [];
  const cursors = spans.map(({ partition, earliest, latest }) => {
    const known = source.cursors.find((cursor) => cursor.partition === partition);
    // A partition that was added later has had nobody read it.
    if (known === undefined) return { partition, next: earliest, end: latest, missed: 0 };
    const { next, missed } = known;
    if (next < earliest) {
      notes.push(`${name}: ${earliest - next} messages of partition ${partition} were removed before they were read`);
      return { partition, next: earliest, end: latest, missed: missed + earliest - next };
    }
    if (next > latest) {
      notes.push(
        `${name}: partition ${partition} ends at ${latest}, before ${next} where reading was: it has lost its end`,
      );
      return { partition, next: latest, end: latest, missed };
    }
    return { partition, next, end: latest, missed };
  });
  const shrank = cursors.some(
    ({ partition, next }) => next < (source.cursors.find((c) => c.partition === partition)?.next ?? 0),
  );
  return { cursors, epoch: source.epoch + (shrank ? 1 : 0), isNew: false, notes };
}

interface Read {
  readonly messages: readonly KafkaMessage[];
  readonly next: number;
}

/** Reads what is behind, at most `room` messages; no partition takes the place of the others. */
async function readSome(
  kafka: Kafka,
  topic: KafkaTopic,
  { behind, room }: { behind: readonly MessageCursor[]; room: number },
): Promise<Map<number, Read>> {
  const portions = await kafka.read(topic, new Map(behind.map(({ partition, next }) => [partition, next])), LIMITS);
  const share = Math.max(1, Math.floor(room / portions.length));
  let left = room;
  const read = new Map<number, Read>();
  for (const { partition, messages, next } of portions) {
    const taken = messages.slice(0, Math.min(share, left));
    left -= taken.length;
    const cut = messages[taken.length];
    read.set(partition, { messages: taken, next: cut === undefined ? next : cut.offset });
  }
  return read;
}

interface Place {
  readonly schedule: MessageSchedule;
  readonly topic: KafkaTopic;
  readonly epoch: number;
}

/** A message that is to start something, or one that cannot. */
function sortOut(message: KafkaMessage, { schedule: { dedupe }, topic, epoch }: Place): NewMessage | DeadMessage {
  const { partition, offset, timestamp: sentAt, key, value } = message;
  const bytes = value?.length ?? 0;
  const kept = { topic: topic.name, partition, offset, sentAt, key, value, bytes };
  const small = { ...kept, value: bytes > KEPT_BYTES ? null : value };
  if (dedupe === "offset") return { ...small, dedupeKey: `${topic.id}/${epoch}/${partition}/${offset}` };
  const dedupeKey = keyOf(message, dedupe);
  return dedupeKey === null ? { ...kept, reason: whatLacks(dedupe) } : { ...small, dedupeKey };
}
