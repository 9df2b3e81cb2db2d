/** `kafkaSensor`: waits for something in a topic. */
import { z } from "zod";
import { defineSensor } from "../dag/define-operator.ts";
import type { Json } from "../dag/spec.ts";

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** Config of {@link kafkaSensor}. */
export const kafkaSensorSchema = z
  .strictObject({
    /** Connection id: `kafka://user:password@host:9092`. */
    connection: z.string().min(1).default("kafka_default"),
    topic: z.string().min(1),
    /** Waits for a message; any one that comes after the wait began will do unless more is said. */
    message: z
      .strictObject({
        key: z.string().optional(),
        /** What its value, read as JSON, must hold: pointer (RFC 6901) and the values that will do. */
        json: z.strictObject({ at: z.string().regex(/^(\/.*)?$/), is: z.array(scalar).min(1) }).optional(),
        /** Whether messages count that were there before the wait began. */
        from: z.enum(["latest", "earliest"]).default("latest"),
      })
      .optional(),
    /** Waits until a partition has come to an offset: the message there exists. */
    offset: z.strictObject({ partition: z.number().int().min(0), reached: z.number().int().min(0) }).optional(),
    /** Waits until a consumer (a DAG that messages start, or a task `dag.task`) has fewer than so many messages before it. */
    lag: z.strictObject({ consumer: z.string().min(1), below: z.number().int().min(1) }).optional(),
  })
  .refine(({ message, offset, lag }) => [message, offset, lag].filter((one) => one !== undefined).length === 1, {
    message: "set one of message, offset and lag",
  });

/** What was found: the XCom of {@link kafkaSensor}. Of `offset` and `lag` only the numbers are known. */
export interface FoundMessage {
  partition: number | null;
  /** The message's, or the end that was reached; of `lag`, how many messages were left. */
  offset: number;
  key: string | null;
  /** JSON where it is, else text. */
  value: Json;
}

/** Waits for a message, an offset, or a consumer to catch up. See docs/operators/kafka-sensor.md. */
export const kafkaSensor = defineSensor<FoundMessage, typeof kafkaSensorSchema>("kafka_sensor", kafkaSensorSchema);
