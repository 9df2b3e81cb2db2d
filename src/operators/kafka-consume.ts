/** `kafkaConsume`: what has come to a topic since the last time, as a file of the lake or as rows. */
import { z } from "zod";
import { defineOperator } from "../dag/define-operator.ts";
import type { Json } from "../dag/spec.ts";

/** Most messages that are handed to a task as rows. */
export const ROWS_LIMIT = 1_000;

/** Config of {@link kafkaConsume}. */
export const kafkaConsumeSchema = z
  .strictObject({
    /** Connection id: `kafka://user:password@host:9092`. */
    connection: z.string().min(1).default("kafka_default"),
    topic: z.string().min(1),
    /** Whose offsets are kept; `dag.task` unless set. */
    consumer: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,250}$/)
      .optional(),
    /** Where a consumer that has not read the topic begins. */
    from: z.enum(["earliest", "latest"]).default("earliest"),
    /** A value that is no JSON object is dead as `json`, and taken as it is as `text`. */
    format: z.enum(["json", "text"]).default("json"),
    /** `file` = a line of JSON a message in the lake, `rows` = the value of the task. */
    into: z.enum(["file", "rows"]).default("file"),
    /** Folder of the lake for files. */
    folder: z.string().min(1).default("staging/kafka"),
    /** Dataset that a consumption with messages is announced for. */
    dataset: z.string().min(1).optional(),
    /** Of one run; the rest is for the next. */
    maxMessages: z.number().int().min(1).max(1_000_000).default(100_000),
    maxBytes: z.number().int().min(1).max(268_435_456).default(67_108_864),
    /** What becomes of messages that were removed before they were read: the task fails, or goes on behind them. */
    onGap: z.enum(["fail", "skip"]).default("fail"),
  })
  .refine(({ into, maxMessages }) => into === "file" || maxMessages <= ROWS_LIMIT, {
    message: `rows are at most ${ROWS_LIMIT}: set maxMessages`,
  });

/** One message as it is in the file, or in the rows. */
export interface ConsumedRow {
  partition: number;
  offset: number;
  /** ISO 8601 in UTC. */
  timestamp: string;
  key: string | null;
  value: Json;
}

/** What was consumed: the XCom of {@link kafkaConsume}. */
export interface ConsumedMessages {
  /** Absolute name of the file; null where there are no messages, or rows were asked for. */
  file: string | null;
  messages: number;
  /** Messages that could not be used; they are kept with the reason. */
  dead: number;
  /** Messages that were removed before they were read. */
  missed: number;
  /** What was read of each partition: `from` up to, but not including, `to`. */
  ranges: { partition: number; from: number; to: number }[];
  rows: ConsumedRow[];
}

/** Consumes a topic from where it was left. See docs/operators/kafka-consume.md. */
export const kafkaConsume = defineOperator<ConsumedMessages, typeof kafkaConsumeSchema>(
  "kafka_consume",
  kafkaConsumeSchema,
  { emits: ({ dataset }) => [dataset] },
);
