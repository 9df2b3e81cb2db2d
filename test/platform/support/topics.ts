/** A topic read whole, for comparing what was sent with what has landed. */
import type { Kafka } from "../../../src/kafka/index.ts";
import type { SentMessage } from "../../support/stream-answers.ts";

/** Every message of a topic, as it is now. */
export async function allMessages(kafka: Kafka, name: string): Promise<SentMessage[]> {
  const topic = await kafka.topic(name);
  const found: SentMessage[] = [];
  for (const { partition, earliest, latest } of await kafka.spans(topic)) {
    for (let next = earliest; next < latest; ) {
      const [portion] = await kafka.read(topic, new Map([[partition, next]]), { maxBytes: 8_000_000, waitMs: 100 });
      found.push(...(portion?.messages ?? []));
      next = portion?.next ?? latest;
    }
  }
  return found;
}
