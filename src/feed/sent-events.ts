/** Finds out which messages of a feed a topic holds. */
import type { Kafka, KafkaSpan, KafkaTopic } from "../kafka/index.ts";

const BLOCK = 2_000;
const LIMITS = { maxBytes: 8 * 1024 * 1024, waitMs: 500 };

/**
 * For each partition, the number of the last message of the feed in it, -1 where it has none. Messages of a feed come in order, so
 * that everything before it is there too; the end is read first, since that is where it is, unless others send to the topic.
 */
export async function lastSent(kafka: Kafka, topic: KafkaTopic, feed: string): Promise<number[]> {
  const spans = await kafka.spans(topic);
  const last: number[] = [];
  for (const span of spans) last.push(await lastIn(kafka, topic, { span, feed }));
  return last;
}

async function lastIn(
  kafka: Kafka,
  topic: KafkaTopic,
  { span, feed }: { span: KafkaSpan; feed: string },
): Promise<number> {
  let end = span.latest;
  for (let size = BLOCK; end > span.earliest; size *= 4) {
    const start = Math.max(span.earliest, end - size);
    let last = -1;
    for (let at = start; at < end; ) {
      const [portion] = await kafka.read(topic, new Map([[span.partition, at]]), LIMITS);
      if (portion === undefined || portion.next === at) break;
      for (const { headers, offset } of portion.messages) {
        if (offset < end && headers.feed === feed) last = Math.max(last, Number(headers.n));
      }
      at = portion.next;
    }
    if (last >= 0) return last;
    end = start;
  }
  return -1;
}
