/** The port to Kafka on top of @platformatic/kafka: the only module that knows the library. */
import { isIP } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  Admin,
  type BaseOptions,
  Consumer,
  FetchIsolationLevels,
  findErrorBy,
  ListOffsetTimestamps,
  Producer,
} from "@platformatic/kafka";
import { QflowError } from "../errors.ts";
import { kafkaError } from "./errors.ts";
import { portionOf } from "./records.ts";
import { openSender, openTransaction, type SendingClient } from "./sender.ts";
import type { Kafka, KafkaAddress, KafkaSpan, KafkaTopic, SenderOptions, TopicOptions } from "./types.ts";

/** How patient a client is. */
export interface KafkaPatience {
  /** Longest time of one call, in milliseconds. Default 15,000. */
  readonly timeoutMs?: number;
  /** Ends every call under way and to come. */
  readonly signal?: AbortSignal;
}

const TIMEOUT_MS = 15_000;
const CONNECT_MS = 5_000;
/** Beside the library's own: what passes within a moment, such as a leader's election, is not worth an error. */
const RETRIES = 5;
const RETRY_MS = 250;
/** Ten seconds: a broker that has just started is slow. */
const KNOWN_TRIES = 40;
/** The broker aborts transactions that take longer. */
const TRANSACTION_MS = 300_000;

/** A client of the cluster at `address`. Connects when it is first used; close it when done. */
export function openKafka(address: KafkaAddress, patience: KafkaPatience = {}): Kafka {
  return new Client(address, patience);
}

/** Brokers behind one entrance are told apart by the name that is asked for; an address is none. */
function tlsOf({ tls, ca, brokers }: KafkaAddress): Pick<BaseOptions, "tls" | "tlsServerName"> {
  if (tls === "off") return {};
  const isNamed = !brokers.some((broker) => isIP(broker.slice(0, broker.lastIndexOf(":")).replace(/^\[|\]$/g, "")));
  return { tls: ca === undefined ? {} : { ca }, tlsServerName: isNamed };
}

class Client implements Kafka, SendingClient {
  readonly #options: BaseOptions;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #where: string;
  #admin: Admin | undefined;
  #reader: Consumer | undefined;

  constructor(address: KafkaAddress, { timeoutMs = TIMEOUT_MS, signal }: KafkaPatience) {
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
    this.#where = address.brokers.join(",");
    this.#options = {
      clientId: address.clientId,
      bootstrapBrokers: [...address.brokers],
      connectTimeout: Math.min(CONNECT_MS, timeoutMs),
      requestTimeout: timeoutMs,
      retries: RETRIES,
      retryDelay: RETRY_MS,
      autocreateTopics: false,
      ...tlsOf(address),
      ...(address.login === null ? {} : { sasl: { ...address.login } }),
    };
  }

  topics(): Promise<string[]> {
    return this.call("the list of topics", () => this.#admins().listTopics({ includeInternals: false }));
  }

  async topic(name: string): Promise<KafkaTopic> {
    const metadata = await this.call(`topic ${name}`, () =>
      this.#readers().metadata({ topics: [name], forceUpdate: true }),
    );
    const found = metadata.topics.get(name);
    if (found === undefined) throw new QflowError("KAFKA_TOPIC_MISSING", `there is no topic ${name} at ${this.#where}`);
    return { name, id: found.id, partitions: found.partitionsCount };
  }

  async createTopic(name: string, options: TopicOptions): Promise<"made" | "there"> {
    const configs = Object.entries(options.config ?? {}).map(([key, value]) => ({ name: key, value }));
    const topic = { topics: [name], partitions: options.partitions, replicas: options.replicas ?? 1, configs };
    const making = this.#admins()
      .createTopics(topic)
      .then(
        ([made]) => made?.id ?? null,
        (error: Error) => {
          if (findErrorBy(error, "apiId", "TOPIC_ALREADY_EXISTS")) return null;
          throw error;
        },
      );
    const id = await this.call(`topic ${name}`, () => making);
    if (id === null) return "there";
    await this.#known(name, id);
    return "made";
  }

  /** A topic that was made is known to all brokers a moment later; until then they may know one of that name that was removed. */
  async #known(name: string, id: string): Promise<void> {
    for (let tries = 1; ; tries++) {
      const found = await this.topic(name).catch((error: unknown) => {
        if (error instanceof QflowError && error.code === "KAFKA_TOPIC_MISSING" && tries < KNOWN_TRIES) return null;
        throw error;
      });
      if (found?.id === id || tries >= KNOWN_TRIES) return;
      await sleep(RETRY_MS);
    }
  }

  deleteTopic(name: string): Promise<void> {
    return this.call(`topic ${name}`, () => this.#admins().deleteTopics({ topics: [name] }));
  }

  async spans(topic: KafkaTopic): Promise<KafkaSpan[]> {
    const [earliest, latest] = await Promise.all([
      this.#offsets(topic, ListOffsetTimestamps.EARLIEST),
      this.#offsets(topic, ListOffsetTimestamps.LATEST),
    ]);
    return latest.map((end, partition) => ({ partition, earliest: earliest[partition] ?? 0, latest: end }));
  }

  async offsetsAt(topic: KafkaTopic, instant: Date): Promise<number[]> {
    const found = await this.#offsets(topic, BigInt(instant.getTime()));
    if (!found.includes(-1)) return found;
    const ends = await this.#offsets(topic, ListOffsetTimestamps.LATEST);
    return found.map((offset, partition) => (offset === -1 ? (ends[partition] ?? 0) : offset));
  }

  async #offsets(topic: KafkaTopic, timestamp: bigint): Promise<number[]> {
    const found = await this.call(`offsets of topic ${topic.name}`, () =>
      this.#readers().listOffsets({
        topics: [topic.name],
        timestamp,
        isolationLevel: FetchIsolationLevels.READ_COMMITTED,
      }),
    );
    return (found.get(topic.name) ?? []).map(Number);
  }

  async read(topic: KafkaTopic, from: ReadonlyMap<number, number>, limits: Parameters<Kafka["read"]>[2]) {
    const what = `reading topic ${topic.name}`;
    const metadata = await this.call(what, () => this.#readers().metadata({ topics: [topic.name] }));
    const placed = metadata.topics.get(topic.name);
    if (placed?.id !== topic.id) {
      throw new QflowError("KAFKA_TOPIC_MISSING", `topic ${topic.name} is gone, or another one of that name has come`);
    }
    const byLeader = Map.groupBy(from, ([partition]) => placed.partitions[partition]?.leader ?? -1);
    const parts = await this.call(what, () =>
      Promise.all([...byLeader].map(([node, offsets]) => this.#fetch(node, topic, { offsets, limits }))),
    );
    return parts.flat().map((part) => portionOf(part, from.get(part.partitionIndex) ?? 0));
  }

  async #fetch(
    node: number,
    topic: KafkaTopic,
    { offsets, limits }: { offsets: [number, number][]; limits: Parameters<Kafka["read"]>[2] },
  ) {
    const partitions = offsets.map(([partition, offset]) => ({
      partition,
      fetchOffset: BigInt(offset),
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      partitionMaxBytes: limits.maxBytes,
    }));
    const answer = await this.#readers().fetch({
      node,
      topics: [{ topicId: topic.id, partitions }],
      minBytes: 1,
      maxBytes: limits.maxBytes,
      maxWaitTime: limits.waitMs,
      isolationLevel: FetchIsolationLevels.READ_COMMITTED,
    });
    return answer.responses.flatMap((response) => response.partitions);
  }

  sender(options: SenderOptions = {}) {
    return openSender(this, this.#producer(options, undefined));
  }

  transaction(id: string, options: SenderOptions = {}) {
    return openTransaction(this, this.#producer(options, id));
  }

  #producer({ compression = "none" }: SenderOptions, transactionalId: string | undefined): Producer {
    return new Producer({
      ...this.#options,
      idempotent: true,
      compression,
      ...(transactionalId === undefined ? {} : { transactionalId, timeout: TRANSACTION_MS }),
    });
  }

  #admins(): Admin {
    this.#admin ??= new Admin(this.#options);
    return this.#admin;
  }

  /** The library reads through a consumer; without joining, its group never comes to be. */
  #readers(): Consumer {
    this.#reader ??= new Consumer({ ...this.#options, groupId: "none" });
    return this.#reader;
  }

  async call<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.#signal?.throwIfAborted();
    const ended = Promise.withResolvers<never>();
    const late = () => {
      const seconds = this.#timeoutMs / 1000;
      ended.reject(new QflowError("KAFKA_UNAVAILABLE", `${what}: ${this.#where} did not answer within ${seconds} s`));
    };
    const timer = setTimeout(late, this.#timeoutMs);
    const onAbort = () => ended.reject(this.#signal?.reason);
    this.#signal?.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([
        work().catch((error: unknown) => {
          throw kafkaError(error, `${what} at ${this.#where}`);
        }),
        ended.promise,
      ]);
    } finally {
      clearTimeout(timer);
      this.#signal?.removeEventListener("abort", onAbort);
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#admin?.close(), this.#reader?.close(true)]);
  }
}
