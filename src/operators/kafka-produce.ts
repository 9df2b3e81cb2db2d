/** `kafkaProduce`: messages into a topic, all of them once or none. */
import { z } from "zod";
import { defineOperator } from "../dag/define-operator.ts";
import { KAFKA_COMPRESSIONS } from "../kafka/types.ts";

const message = z.strictObject({
  /** Messages with the same key keep their order. */
  key: z.union([z.string(), z.null()]).default(null),
  /** A string is sent as it is, null as no value, anything else as JSON. */
  value: z.unknown(),
  headers: z.record(z.string(), z.string()).default({}),
});

/** Config of {@link kafkaProduce}. */
export const kafkaProduceSchema = z.strictObject({
  /** Connection id: `kafka://user:password@host:9092`. */
  connection: z.string().min(1).default("kafka_default"),
  topic: z.string().min(1),
  messages: z.array(message).max(100_000),
  compression: z.enum(KAFKA_COMPRESSIONS).default("none"),
});

/** What was sent: the XCom of {@link kafkaProduce}. */
export interface ProducedMessages {
  topic: string;
  messages: number;
  /** Whether an earlier try had sent them already. */
  sentBefore: boolean;
}

/** Sends messages in one transaction. See docs/operators/kafka-produce.md. */
export const kafkaProduce = defineOperator<ProducedMessages, typeof kafkaProduceSchema>(
  "kafka_produce",
  kafkaProduceSchema,
);
