/** The check of `kafkaSensor`. */
import type { z } from "zod";
import type { Json } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";
import type { Kafka, KafkaMessage, KafkaTopic } from "../kafka/index.ts";
import { consumerOffsets } from "../metadata/consumers.ts";
import { messageBacklogs } from "../metadata/message-sources.ts";
import type { CheckContext, Checked, SensorCheck } from "./check.ts";
import { contentOf, jsonOf, textOf, valueAt } from "./clients/json-text.ts";
import { withKafka } from "./clients/kafka.ts";
import type { FoundMessage, kafkaSensorSchema } from "./kafka-sensor.ts";

type Config = z.output<typeof kafkaSensorSchema>;
type Wanted = NonNullable<Config["message"]>;
type Found = { [K in keyof FoundMessage]: FoundMessage[K] };
type Condition = { config: { [K in keyof Config]: Json }; topicId: string | null; next: number[] };

const CLIENT = "qflow-sensor";
const LIMITS = { maxBytes: 4 * 1024 * 1024, waitMs: 250 };
/** Reads of one check; a check that has more to read goes on with the next. */
const READS = 20;

export const check: SensorCheck<Config, Condition, Found> = {
  looks: "each",
  async prepare(config, _given, context) {
    const connection = await context.connection(config.connection);
    const json = JSON.parse(JSON.stringify(config)) as Condition["config"];
    // Where reading begins is settled now, as far as the topic is there: what comes until the first check counts.
    const start = await withKafka(connection, { clientId: CLIENT, signal: context.signal }, (kafka) =>
      startOf(kafka, config),
    );
    const resource = `kafka ${connection.host}:${connection.port}`;
    return { condition: { config: json, ...start }, resource, note: `for ${goalOf(config)}` };
  },
  async look(waits, context) {
    return Promise.all(waits.map(({ condition }) => ask(condition, context)));
  },
};

async function startOf(kafka: Kafka, { topic: name, message }: Config): Promise<Pick<Condition, "topicId" | "next">> {
  const nothing = { topicId: null, next: [] };
  if (message === undefined) return nothing;
  const topic = await topicOrNull(kafka, name);
  // All that a topic holds which is made later has come since.
  if (topic === null) return nothing;
  const spans = await kafka.spans(topic);
  return { topicId: topic.id, next: spans.map((span) => span[message.from]) };
}

function goalOf({ topic, message, offset, lag }: Config): string {
  if (offset) return `offset ${offset.reached} of partition ${offset.partition} in topic ${topic}`;
  if (lag) return `${lag.consumer} to be less than ${lag.below} messages behind in topic ${topic}`;
  const named = message?.key === undefined ? "" : ` with key ${message.key}`;
  return `a message${named} in topic ${topic}${message?.json ? ` that is as wished at "${message.json.at}"` : ""}`;
}

async function ask(condition: Condition, context: CheckContext): Promise<Checked<Found>> {
  // The condition holds the config as it was checked.
  const config = condition.config as unknown as Config;
  const connection = await context.connection(config.connection);
  return withKafka(connection, { clientId: CLIENT, signal: context.signal }, async (kafka) => {
    const topic = await topicOrNull(kafka, config.topic);
    if (topic === null) return { state: "unmet", note: `there is no topic ${config.topic}` };
    if (config.offset) return reached(kafka, topic, config.offset);
    if (config.lag) return caughtUp(kafka, topic, { ...config.lag, context });
    return search(kafka, topic, { condition, wanted: config.message as Wanted });
  });
}

async function topicOrNull(kafka: Kafka, name: string): Promise<KafkaTopic | null> {
  try {
    return await kafka.topic(name);
  } catch (error) {
    if (error instanceof QflowError && error.code === "KAFKA_TOPIC_MISSING") return null;
    throw error;
  }
}

async function reached(
  kafka: Kafka,
  topic: KafkaTopic,
  { partition, reached: wanted }: NonNullable<Config["offset"]>,
): Promise<Checked<Found>> {
  const span = (await kafka.spans(topic)).find((one) => one.partition === partition);
  if (span === undefined) return { state: "unmet", note: `topic ${topic.name} has no partition ${partition}` };
  if (span.latest > wanted) return { state: "met", value: { partition, offset: span.latest, key: null, value: null } };
  return { state: "unmet", note: `partition ${partition} of topic ${topic.name} ends at ${span.latest}` };
}

async function caughtUp(
  kafka: Kafka,
  topic: KafkaTopic,
  { consumer, below, context }: NonNullable<Config["lag"]> & { context: CheckContext },
): Promise<Checked<Found>> {
  const [backlog] = await messageBacklogs(context.database, consumer);
  const offsets = await consumerOffsets(context.database, consumer, topic.name);
  if (backlog === undefined && offsets.length === 0) {
    return { state: "unmet", note: `${consumer} has not read topic ${topic.name} yet` };
  }
  const spans = await kafka.spans(topic);
  const behind = spans.map(({ partition, earliest, latest }) => {
    const next = offsets.find((one) => one.partition === partition && one.topicId === topic.id)?.next ?? earliest;
    return Math.max(0, latest - Math.max(next, earliest));
  });
  const left = backlog === undefined ? behind.reduce((sum, one) => sum + one, 0) : backlog.lag + backlog.waiting;
  if (left < below) return { state: "met", value: { partition: null, offset: left, key: null, value: null } };
  return { state: "unmet", note: `${consumer} is ${left} messages behind in topic ${topic.name}` };
}

async function search(
  kafka: Kafka,
  topic: KafkaTopic,
  { condition, wanted }: { condition: Condition; wanted: Wanted },
): Promise<Checked<Found>> {
  const spans = await kafka.spans(topic);
  const next = spans.map(({ partition, earliest, latest }) => {
    const known = condition.topicId === topic.id ? condition.next[partition] : undefined;
    return known === undefined || known > latest ? earliest : Math.max(earliest, known);
  });
  for (let read = 0; read < READS; read++) {
    const behind = spans.filter(({ partition, latest }) => (next[partition] ?? 0) < latest);
    if (behind.length === 0) break;
    const from = new Map(behind.map(({ partition }) => [partition, next[partition] ?? 0]));
    for (const portion of await kafka.read(topic, from, LIMITS)) {
      const found = portion.messages.find((message) => isWanted(message, wanted));
      if (found) return { state: "met", value: foundOf(found) };
      next[portion.partition] = portion.next;
    }
  }
  return {
    state: "unmet",
    note: `no such message in topic ${topic.name} so far`,
    condition: { ...condition, topicId: topic.id, next },
  };
}

function isWanted({ key, value }: KafkaMessage, wanted: Wanted): boolean {
  if (wanted.key !== undefined && textOf(key) !== wanted.key) return false;
  if (wanted.json === undefined) return true;
  const { at, is } = wanted.json;
  const found = valueAt(jsonOf(value), at);
  return is.some((one) => one === found);
}

function foundOf({ partition, offset, key, value }: KafkaMessage): Found {
  return { partition, offset, key: textOf(key), value: contentOf(value) };
}
