/** A Kafka in memory, for what qflow does with one; whether the real one behaves so is what the engine tests say. */
import { QflowError } from "../../src/errors.ts";
import type { Kafka, KafkaDraft, KafkaMessage, KafkaTopic } from "../../src/kafka/index.ts";

interface Log {
  readonly id: string;
  readonly partitions: { earliest: number; messages: KafkaMessage[] }[];
}

/** What a test does to it. */
export interface FakeKafka extends Kafka {
  /** Asked before each sending: `lost` = nothing arrives and the sender is told so, `unsaid` = it arrives and the sender is not told. */
  fate: () => "fine" | "lost" | "unsaid";
  /** Puts values into a partition. */
  put(topic: string, partition: number, values: readonly (string | null)[]): void;
  /** Removes what is older than an offset. */
  trim(topic: string, partition: number, earliest: number): void;
  messages(topic: string): KafkaMessage[];
}

/** Opens an empty one. */
export function fakeKafka(): FakeKafka {
  const logs = new Map<string, Log>();
  let made = 0;
  const logOf = (name: string): Log => {
    const log = logs.get(name);
    if (log === undefined) throw new QflowError("KAFKA_TOPIC_MISSING", `there is no topic ${name}`);
    return log;
  };
  const append = (name: string, drafts: readonly KafkaDraft[]) => {
    const { partitions } = logOf(name);
    for (const { key, value, partition = 0, headers = {}, timestamp = new Date(0) } of drafts) {
      const part = partitions[partition];
      if (part === undefined) throw new Error(`topic ${name} has no partition ${partition}`);
      const offset = part.earliest + part.messages.length;
      part.messages.push({ partition, offset, timestamp, key, value, headers });
    }
  };
  const current = (topic: KafkaTopic): Log => {
    const log = logOf(topic.name);
    if (log.id !== topic.id) throw new QflowError("KAFKA_TOPIC_MISSING", `topic ${topic.name} is another one now`);
    return log;
  };
  const fake: FakeKafka = {
    fate: () => "fine",
    put: (topic, partition, values) =>
      append(
        topic,
        values.map((value) => ({ key: null, value: value === null ? null : Buffer.from(value), partition })),
      ),
    trim(topic, partition, earliest) {
      const part = logOf(topic).partitions[partition];
      if (part === undefined) return;
      part.messages = part.messages.filter(({ offset }) => offset >= earliest);
      part.earliest = earliest;
    },
    messages: (topic) => logOf(topic).partitions.flatMap(({ messages }) => messages),
    topics: async () => [...logs.keys()],
    topic: async (name) => ({ name, id: logOf(name).id, partitions: logOf(name).partitions.length }),
    async createTopic(name, { partitions }) {
      if (logs.has(name)) return "there";
      const empty = Array.from({ length: partitions }, () => ({ earliest: 0, messages: [] }));
      logs.set(name, { id: `id-${++made}`, partitions: empty });
      return "made";
    },
    async deleteTopic(name) {
      logs.delete(name);
    },
    spans: async (topic) =>
      current(topic).partitions.map(({ earliest, messages }, partition) => ({
        partition,
        earliest,
        latest: earliest + messages.length,
      })),
    offsetsAt: async (topic, instant) =>
      current(topic).partitions.map(
        ({ earliest, messages }) =>
          messages.find(({ timestamp }) => timestamp >= instant)?.offset ?? earliest + messages.length,
      ),
    async read(topic, from, { maxBytes }) {
      return [...from].map(([partition, offset]) => {
        const part = current(topic).partitions[partition];
        const end = (part?.earliest ?? 0) + (part?.messages.length ?? 0);
        if (part === undefined || offset < part.earliest || offset > end) {
          throw new QflowError("KAFKA_OFFSET_GONE", `partition ${partition} does not hold ${offset}`);
        }
        const messages = part.messages.slice(
          offset - part.earliest,
          offset - part.earliest + Math.ceil(maxBytes / 1000),
        );
        return { partition, messages, next: offset + messages.length };
      });
    },
    sender: () => ({
      async send(topic, drafts) {
        const fate = fake.fate();
        if (fate !== "lost") append(topic, drafts);
        if (fate !== "fine") throw new QflowError("KAFKA_UNAVAILABLE", "the broker went away");
      },
      close: async () => {},
    }),
    async transaction() {
      const held: [string, readonly KafkaDraft[]][] = [];
      return {
        send: async (topic, drafts) => {
          held.push([topic, drafts]);
        },
        commit: async () => {
          for (const [topic, drafts] of held) append(topic, drafts);
        },
        abort: async () => {},
      };
    },
    close: async () => {},
  };
  return fake;
}
