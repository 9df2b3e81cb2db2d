/** Sends a feed of events to a topic: what is there already is not sent again, so that a broken run is simply repeated. */
import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { QflowError } from "../errors.ts";
import type { Kafka, KafkaDraft, KafkaSender, KafkaTopic } from "../kafka/index.ts";
import { countMessage, type EventCounts, noCounts } from "./event-counts.ts";
import { type EventFeed, eventMessage, type FeedMessage } from "./events.ts";
import { lastSent } from "./sent-events.ts";

/** What to send. */
export interface SendEventsOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  /** The topic is made with so many when it is missing. */
  readonly partitions: number;
  readonly feed: EventFeed;
  /** The topic is to hold the first so many messages of the feed; null = until the signal comes. */
  readonly count: number | null;
  /** Messages a second; null = as fast as they are taken. */
  readonly perSecond: number | null;
  /** How long a broker that does not answer is waited for, in milliseconds. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
  /** Told now and then how many messages of the feed the topic holds. */
  readonly onProgress?: (messages: number) => void;
  /** Told what went wrong and is tried again. */
  readonly warn?: (text: string) => void;
}

/** What became of it. */
export interface SentEvents {
  /** What the topic holds of the feed now. */
  readonly counts: EventCounts;
  /** Messages sent by this call; the others were there. */
  readonly sent: number;
  /** Whether all of `count` are there. */
  readonly complete: boolean;
}

const BATCH = 4_000;
const TICK_MS = 100;
const RETRY_MS = 1_000;

/** Sends what is missing, in order. Throws what {@link Kafka} does; a broker that comes back in time is gone on with. */
export async function sendEvents(options: SendEventsOptions): Promise<SentEvents> {
  const run = new SendRun(options);
  let failingSince: number | null = null;
  for (;;) {
    try {
      await run.attempt();
      return run.report();
    } catch (error) {
      if (options.signal.aborted) return run.report();
      if (!(error instanceof QflowError && error.code === "KAFKA_UNAVAILABLE")) throw error;
      const now = performance.now();
      if (run.takeMoved()) failingSince = now;
      failingSince ??= now;
      if (now - failingSince > options.patienceMs) throw error;
      options.warn?.(`${error.message}; trying again`);
      // What was sent last may still be on its way in; then it is read where to go on.
      await sleep(RETRY_MS, undefined, { signal: options.signal }).catch(() => {});
    }
  }
}

class SendRun {
  readonly #options: SendEventsOptions;
  readonly #counts = noCounts();
  /** Number of the message that is counted next. */
  #next = 0;
  #sent = 0;
  #moved = false;

  constructor(options: SendEventsOptions) {
    this.#options = options;
  }

  /** Whether messages have been sent since this was asked last. */
  takeMoved(): boolean {
    const moved = this.#moved;
    this.#moved = false;
    return moved;
  }

  report(): SentEvents {
    return { counts: this.#counts, sent: this.#sent, complete: this.#next === this.#options.count };
  }

  /** Goes on from what the topic holds to the end, or until something goes wrong. */
  async attempt(): Promise<void> {
    const { kafka, topic: name, partitions, feed, signal } = this.#options;
    await kafka.createTopic(name, { partitions });
    const topic = await kafka.topic(name);
    const last = await lastSent(kafka, topic, feedName(feed));
    const sender = kafka.sender();
    try {
      // What is there, or was under way when something broke, is passed without keeping to the rate.
      const known = Math.min(Math.max(...last) + 1, this.#options.count ?? Number.MAX_SAFE_INTEGER);
      while (!signal.aborted && this.#next < known) {
        await this.#sendBatch(sender, { topic, last, size: Math.min(BATCH, known - this.#next) });
      }
      const startedAt = performance.now();
      const first = this.#next;
      while (!signal.aborted && this.#next !== this.#options.count) {
        const due = await this.#due(first, startedAt);
        if (due > 0) await this.#sendBatch(sender, { topic, last, size: due });
      }
    } finally {
      await sender.close();
    }
  }

  /** How many messages may go now; waits for the rate. */
  async #due(first: number, startedAt: number): Promise<number> {
    const { count, perSecond, signal } = this.#options;
    const left = count === null ? BATCH : Math.min(BATCH, count - this.#next);
    if (perSecond === null) return left;
    const wanted = Math.floor(((performance.now() - startedAt) / 1000) * perSecond) + 1;
    const due = Math.min(left, first + wanted - this.#next);
    if (due > 0) return due;
    await sleep(Math.min(TICK_MS, 1000 / perSecond), undefined, { signal }).catch(() => {});
    return 0;
  }

  async #sendBatch(
    sender: KafkaSender,
    { topic, last, size }: { topic: KafkaTopic; last: readonly number[]; size: number },
  ): Promise<void> {
    const messages: FeedMessage[] = [];
    const drafts: KafkaDraft[] = [];
    for (let index = this.#next; index < this.#next + size; index++) {
      const message = eventMessage(this.#options.feed, index);
      const partition = partitionOf(message, topic.partitions);
      messages.push(message);
      if (index > (last[partition] ?? -1)) drafts.push(draftOf(message, partition, this.#options.feed));
    }
    await sender.send(topic.name, drafts);
    for (const message of messages) countMessage(this.#counts, message);
    this.#next += size;
    this.#sent += drafts.length;
    this.#moved ||= drafts.length > 0;
    this.#options.onProgress?.(this.#next);
  }
}

/** By key, as Kafka's own clients do, so that the events of a customer stay in order; without a key in turn. */
function partitionOf({ key, index }: FeedMessage, partitions: number): number {
  return key === null ? index % partitions : crc32(key) % partitions;
}

function draftOf({ key, value, index }: FeedMessage, partition: number, feed: EventFeed): KafkaDraft {
  return {
    key: key === null ? null : Buffer.from(key),
    value,
    partition,
    headers: { feed: feedName(feed), n: String(index) },
  };
}

/** What messages of a feed are known by in a topic. */
export function feedName({ seed, start, spacingMs }: EventFeed): string {
  return `events-${seed}-${start.getTime() / 1000}-${spacingMs}`;
}
