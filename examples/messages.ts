import { cron, dag, onMessage } from "qflow";
import { kafkaConsume, kafkaProduce, kafkaSensor } from "qflow/operators";
import { z } from "zod";

/** A run for every order; a second message of the same order starts nothing. */
export const orders = dag(
  "order",
  {
    schedule: onMessage({ connection: "kafka_default", topic: "orders", dedupe: "/orderId" }),
    params: z.object({ orderId: z.string(), amount: z.number().default(0) }),
    maxActiveRuns: 20,
  },
  (t) => {
    const paid = t.sensor(
      "paid",
      kafkaSensor({ topic: "payments", message: { key: t.params.orderId, from: "earliest" } }),
      { every: "30s", timeout: "2d" },
    );
    const check = t.task("check", { in: { paid } }, ({ paid }, ctx) => ({
      order: ctx.params.orderId,
      at: paid.offset,
    }));
    t.task("tell", kafkaProduce({ topic: "shipments", messages: [{ key: t.params.orderId, value: check.output }] }));
  },
);

/** What has come within a minute, or a hundred returns, together. */
export const returns = dag(
  "returns",
  {
    schedule: onMessage({ connection: "kafka_default", topic: "returns", window: { messages: 100, within: "1m" } }),
    params: z.object({ messages: z.array(z.object({ key: z.string().nullable(), value: z.unknown() })) }),
  },
  (t) => {
    t.task("sum", {}, (_, ctx) => ctx.params.messages.length);
  },
);

/** Every hour what the app has sent since, as one file of the lake. */
export const landed = dag("app_events", { schedule: cron("@hourly"), maxActiveRuns: 1 }, (t) => {
  t.task("land", kafkaConsume({ topic: "app-events", dataset: "staging.app_events", maxMessages: 500_000 }));
});
