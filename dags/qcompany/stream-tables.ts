/** The tables of the stream and of its reports as they have to be: see docs/stream.md. */
import { columns, type Table, table } from "./table.ts";

/** Where a message of the stream came from: unique over topic, generation, partition and offset. */
const MESSAGE = columns(
  ["topic", "string"],
  ["partition", "int"],
  ["offset", "bigint"],
  ["kafka_time", "timestamp", "When the broker took it"],
  ["generation", "int", "One more for every time the stream had to begin anew"],
  ["batch", "bigint", "Batch of the stream that brought it"],
);

/** What the stream lands. */
export const STREAM_TABLES: Table[] = [
  table(
    "standardized.app_events",
    "Events of the app as they were sent, one row a message",
    [
      ...columns(
        ["event_type", "string", "productView, addToCart, purchase, recommendationClick, or what is new"],
        ["event_time", "timestamp", "When it happened, as the app says"],
        ["event_id", "string", "Where the app sends one: the same in every repetition of an event"],
        ["customer_id", "string"],
        ["product_id", "string"],
        ["payment_method", "string"],
        ["recommended_product_id", "string"],
        ["algorithm", "string", "What chose the recommended product"],
        ["category", "string", "From metadata"],
        ["source", "string", "From metadata"],
        ["quantity", "int"],
        ["total_amount", "decimal(18,2)"],
        ["extra", "string", "JSON object of what no column holds: unknown fields, and known ones of the wrong type"],
        ["problems", "array<string>", "Fields of the wrong type; null when there is none"],
        ["message_key", "string"],
      ),
      ...MESSAGE,
    ],
    [
      { name: "event_date", type: "date", comment: "Day of event_time" },
      { name: "event_hour", type: "string", comment: "Hour of event_time, 00 to 23" },
    ],
  ),
  table(
    "standardized.dead_letters",
    "Messages that are no events, as they were sent, with the reason",
    [
      ...columns(
        ["reason", "string", "Why, see docs/stream.md"],
        ["key", "binary"],
        ["value", "binary", "The message as it was sent"],
      ),
      ...MESSAGE,
    ],
    [{ name: "arrival_date", type: "date", comment: "Day of kafka_time" }],
    ["key", "value"],
  ),
  table(
    "standardized.dead_letters_replayed",
    "Dead letters that have become events since",
    [...MESSAGE, ...columns(["replay", "int", "Number of the replay"])],
    [{ name: "arrival_date", type: "date", comment: "Day of kafka_time" }],
  ),
];
