// A real broker: what it acknowledged survives its kill, and it says that it is ready only when topics answer.
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { kafkaAnswers } from "../../src/engines/kafka-health.ts";
import { openKafka } from "../../src/kafka/index.ts";
import { testEngines } from "../support/engines.ts";

test.serial("acknowledged messages are there after a kill, at the same address", async (t) => {
  const { config, killAndAwait } = await testEngines(t, ["kafka"]);
  const port = config.connections.kafka_default?.port ?? 0;
  const address = { brokers: [`127.0.0.1:${port}`], clientId: "test", tls: "off", login: null } as const;
  const kafka = openKafka(address);
  t.teardown(() => kafka.close());
  await kafka.createTopic("orders", { partitions: 3 });
  const acknowledged: string[] = [];
  const send = async (from: number, to: number) => {
    for (let n = from; n < to; n += 50) {
      const numbers = Array.from({ length: 50 }, (_, i) => String(n + i));
      const messages = numbers.map((text) => ({ key: Buffer.from(text), value: Buffer.from(`order ${text}`) }));
      for (let sent = false; !sent; ) {
        const sender = kafka.sender();
        sent = await sender.send("orders", messages).then(
          () => true,
          () => sleep(100, false),
        );
        await sender.close();
      }
      acknowledged.push(...numbers);
    }
  };
  await send(0, 500);
  await Promise.all([killAndAwait("kafka"), send(500, 1_000)]);
  t.true(await kafkaAnswers(port));
  const topic = await kafka.topic("orders");
  const stored = new Set<string>();
  for (const { partition, earliest, latest } of await kafka.spans(topic)) {
    for (let next = earliest; next < latest; ) {
      const [portion] = await kafka.read(topic, new Map([[partition, next]]), { maxBytes: 1_000_000, waitMs: 100 });
      for (const { key } of portion?.messages ?? []) stored.add(String(key));
      next = portion?.next ?? latest;
    }
  }
  t.deepEqual(
    acknowledged.filter((key) => !stored.has(key)),
    [],
  );
});

test("a port on which nobody answers is no broker", async (t) => {
  t.false(await kafkaAnswers(1));
});
