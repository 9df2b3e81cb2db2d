/** The work of `kafkaProduce`: a transaction, and a look whether an earlier try has committed it. */
import type { z } from "zod";
import type { Json } from "../dag/spec.ts";
import type { Kafka, KafkaDraft, KafkaTopic } from "../kafka/index.ts";
import { withKafka } from "./clients/kafka.ts";
import type { kafkaProduceSchema, ProducedMessages } from "./kafka-produce.ts";
import type { OperatorContext } from "./run.ts";

type ProduceConfig = z.output<typeof kafkaProduceSchema>;
type Result = { [K in keyof ProducedMessages]: ProducedMessages[K] };

/** Where the topic ended before the first try sent anything. */
type Handle = { topicId: string; from: number[] };

const LIMITS = { maxBytes: 8 * 1024 * 1024, waitMs: 250 };
/** By this header a later try finds what an earlier one sent. */
const HEADER = "qflow-task";

/** Throws what Kafka's clients do, KAFKA_FENCED, KAFKA_TOO_LARGE, FENCED. */
export function run(config: ProduceConfig, context: OperatorContext): Promise<Result> {
  const patience = { clientId: "qflow-task", signal: context.signal };
  return withKafka(context.connection(config.connection), patience, (kafka) => produce(kafka, config, context));
}

/** {@link run} with an open client. */
export async function produce(kafka: Kafka, config: ProduceConfig, context: OperatorContext): Promise<Result> {
  const { topic: name, messages, compression } = config;
  const result = { topic: name, messages: messages.length, sentBefore: false };
  if (messages.length === 0) return result;
  const topic = await kafka.topic(name);
  const before = handleOf(context.previousHandle, topic);
  const handle = before ?? { topicId: topic.id, from: (await kafka.spans(topic)).map(({ latest }) => latest) };
  await context.saveHandle(handle);
  const id = idOf(context);
  // Opening it ends whatever an earlier try has under way: after this the topic does not change by that one any more.
  const transaction = await kafka.transaction(id, { compression });
  try {
    if (before !== null && (await isThere(kafka, topic, { from: before.from, id }))) {
      context.log.info(`an earlier try has sent the ${messages.length} messages to topic ${name}`);
      await transaction.abort();
      return { ...result, sentBefore: true };
    }
    await transaction.send(
      name,
      messages.map((message) => draftOf(message, id)),
    );
    await context.publishPermit();
    await transaction.commit();
  } catch (error) {
    await transaction.abort();
    throw error;
  }
  context.log.info(`${messages.length} messages sent to topic ${name}`);
  return result;
}

/** The same for all tries of a task instance, and for nothing else. */
function idOf({ dagId, taskId, runId, mapIndex }: OperatorContext): string {
  return `${dagId}.${taskId}/${runId}${mapIndex < 0 ? "" : `/${mapIndex}`}`;
}

function handleOf(handle: Json, topic: KafkaTopic): Handle | null {
  const known = handle as Handle | null;
  return known?.topicId === topic.id ? known : null;
}

async function isThere(
  kafka: Kafka,
  topic: KafkaTopic,
  { from, id }: { from: readonly number[]; id: string },
): Promise<boolean> {
  for (const { partition, earliest, latest } of await kafka.spans(topic)) {
    for (let at = Math.max(earliest, from[partition] ?? 0); at < latest; ) {
      const [portion] = await kafka.read(topic, new Map([[partition, at]]), LIMITS);
      if (portion === undefined || portion.next === at) break;
      if (portion.messages.some(({ headers }) => headers[HEADER] === id)) return true;
      at = portion.next;
    }
  }
  return false;
}

function draftOf({ key, value, headers }: ProduceConfig["messages"][number], id: string): KafkaDraft {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return {
    key: key === null ? null : Buffer.from(key),
    value: value === null || text === undefined ? null : Buffer.from(text),
    headers: { ...headers, [HEADER]: id },
  };
}
