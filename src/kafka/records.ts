/** From what a broker answers to messages: without markers, and without what was aborted. */
import type { Consumer } from "@platformatic/kafka";
import type { KafkaMessage, KafkaPortion } from "./types.ts";

type Part = Awaited<ReturnType<Consumer["fetch"]>>["responses"][number]["partitions"][number];
type Batch = NonNullable<Part["records"]>[number];

const IS_CONTROL = 0b10_0000;
const IS_TRANSACTIONAL = 0b1_0000;
/** What a marker's key says in its second half. */
const ABORT = 0;

/** The messages of one partition's answer from offset `from` on. Batches begin where the broker packed them, often before it. */
export function portionOf(part: Part, from: number): KafkaPortion {
  const messages: KafkaMessage[] = [];
  const aborted = abortedIn(part);
  let next = from;
  for (const batch of part.records ?? []) {
    next = Math.max(next, Number(batch.firstOffset) + batch.lastOffsetDelta + 1);
    if (aborted(batch)) continue;
    for (const record of batch.records) {
      const offset = Number(batch.firstOffset) + record.offsetDelta;
      if (offset >= from) messages.push(messageOf(part.partitionIndex, offset, { batch, record }));
    }
  }
  return { partition: part.partitionIndex, messages, next };
}

/**
 * Says of each batch, in their order, whether it is a marker or belongs to an aborted transaction: one that the answer lists, from
 * its first offset until the marker that ends it. The marker may come with a later answer.
 */
function abortedIn(part: Part): (batch: Batch) => boolean {
  const listed = (part.abortedTransactions ?? []).toSorted((a, b) => Number(a.firstOffset - b.firstOffset));
  const open = new Set<bigint>();
  return (batch) => {
    while (listed[0] !== undefined && listed[0].firstOffset <= batch.firstOffset) {
      open.add((listed.shift() as (typeof listed)[number]).producerId);
    }
    if ((batch.attributes & IS_CONTROL) !== 0) {
      if (batch.records[0]?.key?.readInt16BE(2) === ABORT) open.delete(batch.producerId);
      return true;
    }
    return (batch.attributes & IS_TRANSACTIONAL) !== 0 && open.has(batch.producerId);
  };
}

function messageOf(
  partition: number,
  offset: number,
  { batch, record }: { batch: Batch; record: Batch["records"][number] },
): KafkaMessage {
  const headers = record.headers.map(([name, value]) => [name?.toString("utf8") ?? "", value?.toString("utf8") ?? ""]);
  return {
    partition,
    offset,
    timestamp: new Date(Number(batch.firstTimestamp + record.timestampDelta)),
    key: record.key,
    value: record.value,
    headers: Object.fromEntries(headers),
  };
}
