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

const DAY = [{ name: "event_date", type: "date", comment: "Day of the events, as the app says" }];

/** Reports on the stream, by day. An event that was sent twice counts once. */
export const STREAM_REPORTS: Table[] = [
  table(
    "enriched.sales_by_payment_method",
    "Purchases in the app by payment method",
    columns(
      ["payment_method", "string", "Empty where the event names none"],
      ["purchases", "bigint"],
      ["units", "bigint"],
      ["revenue", "decimal(18,2)"],
    ),
    DAY,
  ),
  table(
    "enriched.events_by_category",
    "Events in the app and what they brought in, by hour and product category",
    columns(
      ["event_hour", "string", "00 to 23"],
      ["category", "string", "Empty where the event names none"],
      ["events", "bigint"],
      ["views", "bigint"],
      ["carts", "bigint"],
      ["purchases", "bigint"],
      ["revenue", "decimal(18,2)"],
    ),
    DAY,
  ),
  table(
    "enriched.purchase_funnel",
    "From view to cart to purchase: a journey is one customer and one product on one day",
    columns(
      ["step", "int", "1 to 3"],
      ["stage", "string", "view, cart or purchase"],
      ["events", "bigint", "All events of this stage"],
      ["journeys", "bigint", "Journeys that reached it, the stages before it done before it"],
      ["customers", "bigint", "Customers of these journeys"],
    ),
    DAY,
  ),
  table(
    "enriched.recommendation_clicks",
    "Clicks on recommended products by algorithm, and what followed on the same day",
    columns(
      ["algorithm", "string", "Empty where the event names none"],
      ["clicks", "bigint"],
      ["customers", "bigint"],
      [
        "followed",
        "bigint",
        "Clicks after which the customer viewed, put into the cart or bought the recommended product",
      ],
      ["bought", "bigint", "Clicks after which the customer bought it"],
    ),
    DAY,
  ),
  table(
    "enriched.app_event_fields",
    "Fields of events that no column holds: how the events change",
    columns(
      ["event_type", "string"],
      ["field", "string"],
      ["kind", "string", "Type of the value, as Spark names it"],
      ["events", "bigint"],
      ["first_seen", "timestamp"],
      ["last_seen", "timestamp"],
    ),
    DAY,
  ),
];
