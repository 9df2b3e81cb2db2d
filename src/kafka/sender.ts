/** Sending messages: plainly, or all together in a transaction. */
import type { MessageToProduce, Producer } from "@platformatic/kafka";
import type { KafkaDraft, KafkaSender, KafkaTransaction } from "./types.ts";

/** What senders use of the client: a call in bounded time, with our errors. */
export interface SendingClient {
  call<T>(what: string, work: () => Promise<T>): Promise<T>;
}

/** The broker takes any other answer, the library's own included, for that of an earlier owner, and fences us. */
const NO_EPOCH_YET = { producerId: -1n, producerEpoch: -1 };

/** See {@link Kafka.sender}. */
export function openSender(client: SendingClient, producer: Producer): KafkaSender {
  return {
    send: (topic, messages) => sendBy(client, producer, { topic, messages }),
    close: () => producer.close(true).catch(() => {}),
  };
}

/** See {@link Kafka.transaction}. */
export async function openTransaction(client: SendingClient, producer: Producer): Promise<KafkaTransaction> {
  const transaction = await client
    .call("opening a transaction", () => producer.beginTransaction(NO_EPOCH_YET))
    .catch(async (error: unknown) => {
      await producer.close(true).catch(() => {});
      throw error;
    });
  const end = async (work: Promise<void>) => {
    await work.finally(() => producer.close(true).catch(() => {}));
  };
  return {
    send: (topic, messages) => sendBy(client, transaction, { topic, messages }),
    commit: () => end(client.call("committing a transaction", () => transaction.commit())),
    abort: () => end(client.call("aborting a transaction", () => transaction.abort())).catch(() => {}),
  };
}

/** A request makes one batch a partition, and brokers refuse batches above 1 MiB unless told otherwise. */
const REQUEST_BYTES = 900_000;
/** What a message takes beside its key, value and headers, at most. */
const FRAME_BYTES = 32;

async function sendBy(
  client: SendingClient,
  by: Pick<Producer, "send">,
  { topic, messages }: { topic: string; messages: readonly KafkaDraft[] },
): Promise<void> {
  for (const drafts of requestsOf(messages)) {
    await client.call(`sending to topic ${topic}`, () =>
      by.send({ messages: drafts.map((draft) => messageFor(topic, draft)) }),
    );
  }
}

/** Parts messages into requests; one that is larger than a request goes alone. */
function* requestsOf(messages: readonly KafkaDraft[]): Generator<KafkaDraft[]> {
  let request: KafkaDraft[] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = sizeOf(message);
    if (request.length > 0 && bytes + size > REQUEST_BYTES) {
      yield request;
      request = [];
      bytes = 0;
    }
    request.push(message);
    bytes += size;
  }
  if (request.length > 0) yield request;
}

function sizeOf({ key, value, headers }: KafkaDraft): number {
  const named = Object.entries(headers ?? {}).reduce((sum, [name, text]) => sum + name.length + text.length + 4, 0);
  return FRAME_BYTES + (key?.length ?? 0) + (value?.length ?? 0) + named;
}

function messageFor(topic: string, { key, value, partition, headers, timestamp }: KafkaDraft): MessageToProduce {
  return {
    topic,
    ...(key === null ? {} : { key }),
    ...(value === null ? {} : { value }),
    ...(partition === undefined ? {} : { partition }),
    ...(headers === undefined
      ? {}
      : { headers: new Map(Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])) }),
    ...(timestamp === undefined ? {} : { timestamp: BigInt(timestamp.getTime()) }),
  };
}
