/** The work of `kafkaConsume`: the file is staged, its row committed with the offsets, then it gets its name. */
import { createHash } from "node:crypto";
import type { z } from "zod";
import { QflowError } from "../errors.ts";
import type { Kafka, KafkaMessage, KafkaTopic } from "../kafka/index.ts";
import { type FileStore, openStore } from "../lake/index.ts";
import {
  type ConsumedRange,
  type Consumption,
  consumerOffsets,
  consumptionOf,
  markPublished,
  recordConsumption,
  unpublished,
} from "../metadata/consumers.ts";
import type { DeadMessage } from "../metadata/message-inbox.ts";
import { jsonOf, textOf } from "./clients/json-text.ts";
import { withKafka } from "./clients/kafka.ts";
import type { ConsumedMessages, ConsumedRow, kafkaConsumeSchema } from "./kafka-consume.ts";
import type { OperatorContext } from "./run.ts";

type ConsumeConfig = z.output<typeof kafkaConsumeSchema>;
type Row = { [K in keyof ConsumedRow]: ConsumedRow[K] };
type Result = { [K in keyof Omit<ConsumedMessages, "rows">]: ConsumedMessages[K] } & { rows: Row[] };

const LIMITS = { maxBytes: 4 * 1024 * 1024, waitMs: 250 };

/** Throws what Kafka's clients and the lake's store do, KAFKA_OFFSET_GONE, FENCED. */
export async function run(config: ConsumeConfig, context: OperatorContext): Promise<Result> {
  const store = openStore(context.config.lakeDir, {
    connection: (id) => context.connection(id),
    signal: context.signal,
  });
  const patience = { clientId: "qflow-task", signal: context.signal };
  return withKafka(context.connection(config.connection), patience, (kafka) =>
    consume({ kafka, store }, config, context),
  );
}

/** What is read from, and what files are written to. */
export interface ConsumePlaces {
  readonly kafka: Kafka;
  readonly store: FileStore;
}

/** {@link run} with open clients. */
export async function consume(places: ConsumePlaces, config: ConsumeConfig, context: OperatorContext): Promise<Result> {
  const { database, attempt, dagId, taskId } = context;
  const identity = { attemptId: attempt.id, token: attempt.token };
  const consumer = config.consumer ?? `${dagId}.${taskId}`;
  for (const left of await unpublished(database, consumer)) await publish(places.store, left, context);
  await sweepStaged(places.store, folderOf(config, consumer));
  // An earlier try has done it all, but for telling so.
  const done = await consumptionOf(database, identity);
  if (done !== null) return announced(done.result as Result, config, context);
  const topic = await places.kafka.topic(config.topic);
  const plan = await planOf(places.kafka, topic, { config, consumer, context });
  const read = await readAll(places.kafka, topic, { plan, config, context });
  const { file, staged } = await stage(places.store, read.rows, { config, consumer, ranges: read.ranges });
  const result: Result = {
    file: file === null ? null : places.store.locate(file),
    messages: read.rows.length,
    dead: read.dead.length,
    missed: plan.missed,
    ranges: read.ranges.map(({ partition, from, to }) => ({ partition, from, to })),
    rows: config.into === "rows" ? read.rows : [],
  };
  const consumed = { consumer, topic: topic.name, topicId: topic.id, ranges: read.ranges, dead: read.dead };
  await database.transaction((sql) =>
    recordConsumption(sql, { attempt: identity, dagId, taskId, ...consumed, result, staged, file }),
  );
  const kept = await consumptionOf(database, identity);
  if (kept !== null) await publish(places.store, kept, context);
  return announced(result, config, context);
}

function announced(result: Result, { dataset, topic }: ConsumeConfig, context: OperatorContext): Result {
  const { messages, dead, ranges } = result;
  context.log.info(`${messages} messages of topic ${topic}, ${dead} of no use`, { ranges });
  if (dataset !== undefined && messages > 0) {
    const key = `${topic} ${ranges.map(({ partition, from, to }) => `${partition}:${from}-${to}`).join(" ")}`;
    context.emit(dataset, { key, extra: { file: result.file, messages } });
  }
  return result;
}

interface Plan {
  readonly ranges: readonly ConsumedRange[];
  readonly missed: number;
}

interface PlanGiven {
  readonly config: ConsumeConfig;
  readonly consumer: string;
  readonly context: OperatorContext;
}

/** What there is to be read of each partition. */
async function planOf(kafka: Kafka, topic: KafkaTopic, { config, consumer, context }: PlanGiven): Promise<Plan> {
  const offsets = await consumerOffsets(context.database, consumer, topic.name);
  const isAnother = offsets.some(({ topicId }) => topicId !== topic.id);
  if (isAnother) context.log.warn(`topic ${topic.name} is another one than before: it is read from its beginning`);
  const isNew = offsets.length === 0;
  let missed = 0;
  const ranges = (await kafka.spans(topic)).map(({ partition, earliest, latest }): ConsumedRange => {
    const known = offsets.find((offset) => offset.partition === partition)?.next ?? null;
    const range = { partition, known, to: latest, end: latest };
    // What comes to a topic that was made again, or to a partition that was added, is new.
    if (isNew) return { ...range, from: config.from === "latest" ? latest : earliest };
    if (isAnother || known === null) return { ...range, from: earliest };
    if (known >= earliest && known <= latest) return { ...range, from: known };
    const gap = Math.max(0, earliest - known);
    const what =
      gap > 0
        ? `${gap} messages of partition ${partition} of topic ${topic.name} were removed before ${consumer} read them`
        : `partition ${partition} of topic ${topic.name} ends at ${latest}, before ${known} where ${consumer} is`;
    if (config.onGap === "fail") throw new QflowError("KAFKA_OFFSET_GONE", what);
    context.log.warn(what);
    missed += gap;
    return { ...range, from: gap > 0 ? earliest : latest };
  });
  return { ranges, missed };
}

interface ReadGiven {
  readonly plan: Plan;
  readonly config: ConsumeConfig;
  readonly context: OperatorContext;
}

interface ReadResult {
  readonly rows: Row[];
  readonly dead: DeadMessage[];
  readonly ranges: readonly ConsumedRange[];
}

/** Reads the plan as far as the limits allow; no partition waits for another to be read to its end. */
async function readAll(kafka: Kafka, topic: KafkaTopic, { plan, config, context }: ReadGiven): Promise<ReadResult> {
  const rows: Row[] = [];
  const dead: DeadMessage[] = [];
  const at = new Map(plan.ranges.map(({ partition, from }) => [partition, from]));
  const ends = new Map(plan.ranges.map(({ partition, to }) => [partition, to]));
  const total = plan.ranges.reduce((sum, { from, to }) => sum + to - from, 0);
  const left = { messages: config.maxMessages, bytes: config.maxBytes };
  for (;;) {
    const behind = [...at].filter(([partition, next]) => next < (ends.get(partition) ?? 0));
    if (behind.length === 0 || left.messages <= 0 || left.bytes <= 0) break;
    for (const portion of await kafka.read(topic, new Map(behind), LIMITS)) {
      let next = portion.next;
      for (const message of portion.messages) {
        const size = message.value?.length ?? 0;
        const isTooMuch = left.messages <= 0 || (left.bytes < size && rows.length > 0);
        if (isTooMuch || message.offset >= (ends.get(portion.partition) ?? 0)) {
          next = message.offset;
          break;
        }
        left.messages--;
        left.bytes -= size;
        const sorted = rowOf(message, config);
        if ("reason" in sorted) dead.push(sorted);
        else rows.push(sorted);
      }
      if (next === at.get(portion.partition)) left.bytes = 0;
      at.set(portion.partition, next);
    }
    context.progress(`topic ${topic.name}`, rows.length + dead.length, total);
  }
  return { rows, dead, ranges: plan.ranges.map((range) => ({ ...range, to: at.get(range.partition) ?? range.from })) };
}

/** What the database cannot keep as a task's value. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is looked for
const NO_RESULT = /\u0000|\\u0000/;

function rowOf(message: KafkaMessage, { format, topic, into }: ConsumeConfig): Row | DeadMessage {
  const { partition, offset, timestamp, key, value } = message;
  const dead = (reason: string): DeadMessage => {
    const bytes = value?.length ?? 0;
    return { topic, partition, offset, sentAt: timestamp, key, value, bytes, reason };
  };
  const row = { partition, offset, timestamp: timestamp.toISOString(), key: textOf(key) };
  if (into === "rows" && `${row.key}${value?.toString("utf8")}`.match(NO_RESULT)) return dead("it holds U+0000");
  if (value === null) return { ...row, value: null };
  const text = textOf(value);
  if (text === null) return dead("it is no text in UTF-8");
  if (format === "text") return { ...row, value: text };
  const json = jsonOf(value);
  if (json === undefined) return dead("it is not JSON");
  if (typeof json !== "object" || json === null || Array.isArray(json)) return dead("it is no JSON object");
  return { ...row, value: json };
}

/** Puts the rows where nobody looks; the name under which they will be found says what is in the file. */
async function stage(
  store: FileStore,
  rows: readonly Row[],
  given: { config: ConsumeConfig; consumer: string; ranges: readonly ConsumedRange[] },
): Promise<{ file: string | null; staged: string | null }> {
  const { config, consumer, ranges } = given;
  if (config.into === "rows" || rows.length === 0) return { file: null, staged: null };
  const content = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  const sha256 = createHash("sha256").update(content).digest("hex");
  const place = ranges.map(({ partition, from, to }) => `${partition}:${from}-${to}`).join(",");
  const name = `${createHash("sha256").update(`${place} ${sha256}`).digest("hex").slice(0, 32)}.jsonl`;
  const folder = folderOf(config, consumer);
  const staged = `${folder}/${STAGED}/${name}`;
  // The name is the content's: what is there is the same.
  await store.write(staged, pieces(content)).catch((error: unknown) => {
    if (!(error instanceof QflowError && error.code === "FILE_EXISTS")) throw error;
  });
  return { file: `${folder}/${name}`, staged };
}

/** What readers of the lake do not look at. */
const STAGED = "_staged";
const LEFTOVER_MS = 24 * 60 * 60 * 1000;

function folderOf({ folder, topic }: ConsumeConfig, consumer: string): string {
  return `${folder}/${topic}/${consumer}`;
}

/** Removes what tries that came to nothing have left. */
async function sweepStaged(store: FileStore, folder: string): Promise<void> {
  const staged = `${folder}/${STAGED}`;
  if ((await store.stat(staged)) === null) return;
  for (const { name, modified } of await store.list(staged)) {
    if (Date.now() - Date.parse(modified) > LEFTOVER_MS) await store.remove(`${staged}/${name}`);
  }
}

async function* pieces(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content);
}

/** Gives a committed file its name; done twice, the second time changes nothing. */
async function publish(store: FileStore, { taskInstanceId, staged, file }: Consumption, context: OperatorContext) {
  if (staged === null || file === null) return;
  await store.rename(staged, file).catch((error: unknown) => {
    const isDone = error instanceof QflowError && (error.code === "FILE_NOT_FOUND" || error.code === "FILE_EXISTS");
    if (!isDone) throw error;
  });
  await markPublished(context.database, taskInstanceId);
}
