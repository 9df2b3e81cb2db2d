/** The port to Kafka: what qflow needs of a cluster, whatever client is behind it. Offsets are numbers: they stay below 2^53. */

/** Where a cluster is, and as whom. */
export interface KafkaAddress {
  /** `host:port` of one or more brokers. */
  readonly brokers: readonly string[];
  /** How this client calls itself in the broker's logs. */
  readonly clientId: string;
  readonly tls: "off" | "on";
  /** Certificates in PEM that are trusted in place of the usual ones. */
  readonly ca?: string;
  readonly login: KafkaLogin | null;
}

/** Which mechanisms a login can use. */
export const KAFKA_MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const;

/** A user and a password. */
export interface KafkaLogin {
  readonly mechanism: (typeof KAFKA_MECHANISMS)[number];
  readonly username: string;
  readonly password: string;
}

/** A topic as it is now. One that is removed and made again has another id. */
export interface KafkaTopic {
  readonly name: string;
  readonly id: string;
  /** Partitions are numbered from 0. */
  readonly partitions: number;
}

/** What a partition holds: offsets from `earliest` up to, but not including, `latest`. */
export interface KafkaSpan {
  readonly partition: number;
  readonly earliest: number;
  readonly latest: number;
}

/** A message as it lies in a topic. */
export interface KafkaMessage {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: Date;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** What one read of a partition brought. */
export interface KafkaPortion {
  readonly partition: number;
  readonly messages: readonly KafkaMessage[];
  /** Where to go on: after the last message, and after what is none (markers and aborted messages). */
  readonly next: number;
}

/** A message to be sent. Without a partition, its key decides. */
export interface KafkaDraft {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly partition?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timestamp?: Date;
}

/** How messages are packed on their way. */
export const KAFKA_COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
/** One of {@link KAFKA_COMPRESSIONS}. */
export type KafkaCompression = (typeof KAFKA_COMPRESSIONS)[number];

/** How much one read brings at most. A message larger than that is brought alone. */
export interface ReadLimits {
  readonly maxBytes: number;
  /** How long the broker may wait for a first message, in milliseconds; 0 = it answers at once. */
  readonly waitMs: number;
}

/**
 * A client of one cluster; it connects when it is first used. Every call ends within the time it was opened with, and rejects with
 * KAFKA_UNAVAILABLE, KAFKA_DENIED, KAFKA_TOPIC_MISSING, KAFKA_FAILED, or the reason of the signal that ended it.
 */
export interface Kafka {
  /** Names of the topics, without Kafka's own. */
  topics(): Promise<string[]>;
  topic(name: string): Promise<KafkaTopic>;
  /** Makes a topic unless there is one of that name. */
  createTopic(name: string, options: TopicOptions): Promise<"made" | "there">;
  deleteTopic(name: string): Promise<void>;
  /** What each partition holds of committed messages, in the order of partitions. */
  spans(topic: KafkaTopic): Promise<KafkaSpan[]>;
  /** For each partition, the offset of the first message at or after an instant; the end where there is none. */
  offsetsAt(topic: KafkaTopic, instant: Date): Promise<number[]>;
  /**
   * Reads committed messages from these offsets on, without a consumer group: nobody else's coming and going disturbs it. Rejects
   * with KAFKA_OFFSET_GONE where one of the offsets is outside of what the partition holds.
   */
  read(topic: KafkaTopic, from: ReadonlyMap<number, number>, limits: ReadLimits): Promise<KafkaPortion[]>;
  /** A sender whose retries never double a message. */
  sender(options?: SenderOptions): KafkaSender;
  /** A sender whose messages are seen all together or not at all; whoever opens it later under the same id fences it. */
  transaction(id: string, options?: SenderOptions): Promise<KafkaTransaction>;
  close(): Promise<void>;
}

/** How a topic is made. */
export interface TopicOptions {
  readonly partitions: number;
  readonly replicas?: number;
  readonly config?: Readonly<Record<string, string>>;
}

/** How messages are sent. */
export interface SenderOptions {
  readonly compression?: KafkaCompression;
}

/** Sends messages in the order given; resolves when all replicas in sync have them. Also rejects with KAFKA_TOO_LARGE. */
export interface KafkaSender {
  send(topic: string, messages: readonly KafkaDraft[]): Promise<void>;
  close(): Promise<void>;
}

/** Also rejects with KAFKA_FENCED, when another one has been opened under the same id. */
export interface KafkaTransaction extends Pick<KafkaSender, "send"> {
  commit(): Promise<void>;
  /** Nobody who reads committed messages sees what was sent. Never rejects. */
  abort(): Promise<void>;
}
