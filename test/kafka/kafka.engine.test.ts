// A real broker: what the port promises, and that nothing is lost or doubled by what goes wrong with a broker or a topic.
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Admin, Consumer } from "@platformatic/kafka";
import test, { type ExecutionContext } from "ava";
import { dag } from "../../src/dag/dag.ts";
import type { Connection } from "../../src/dag/operator.ts";
import { onMessage } from "../../src/dag/schedule.ts";
import type { Json } from "../../src/dag/spec.ts";
import { QflowError } from "../../src/errors.ts";
import { sendEvents } from "../../src/feed/index.ts";
import { KAFKA_COMPRESSIONS, type Kafka, type KafkaMessage, openKafka } from "../../src/kafka/index.ts";
import { messageBacklogs } from "../../src/metadata/message-sources.ts";
import { createRun } from "../../src/metadata/runs.ts";
import { testConnection } from "../../src/operators/connection-test.ts";
import { kafkaSensor } from "../../src/operators/index.ts";
import { MessageLook } from "../../src/scheduler/messages.ts";
import { deploy, statesOf } from "../metadata/fixtures.ts";
import { bench, logOf, xcomOf } from "../scheduler/wait-bench.ts";
import { testDatabase } from "../support/database.ts";
import { type TestEngines, testEngines } from "../support/engines.ts";
import * as workers from "../worker/support.ts";

let engines: TestEngines;
let connection: Connection;
const ends: (() => unknown)[] = [];

test.before(async (t) => {
  const forFile = { teardown: (end: () => unknown) => void ends.push(end), timeout: (ms: number) => t.timeout(ms) };
  engines = await testEngines(forFile as Parameters<typeof testEngines>[0], ["kafka"]);
  connection = engines.config.connections.kafka_default as Connection;
});

test.after.always(async () => {
  for (const end of ends) await end();
});

const brokers = () => [`${connection.host}:${connection.port}`];

function open(t: ExecutionContext, timeoutMs = 15_000): Kafka {
  const kafka = openKafka({ brokers: brokers(), clientId: "test", tls: "off", login: null }, { timeoutMs });
  t.teardown(() => kafka.close());
  return kafka;
}

const LIMITS = { maxBytes: 1_000_000, waitMs: 100 };

/** All committed messages of a topic. */
async function readAll(kafka: Kafka, name: string, limits = LIMITS): Promise<KafkaMessage[]> {
  const topic = await kafka.topic(name);
  const messages: KafkaMessage[] = [];
  for (const { partition, earliest, latest } of await kafka.spans(topic)) {
    for (let at = earliest; at < latest; ) {
      const [portion] = await kafka.read(topic, new Map([[partition, at]]), limits);
      messages.push(...(portion?.messages ?? []));
      at = portion?.next ?? latest;
    }
  }
  return messages;
}

const texts = (messages: readonly KafkaMessage[]) => messages.map(({ value }) => value?.toString() ?? null);
const value = (text: string, partition = 0) => ({ key: null, value: Buffer.from(text), partition });

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  return error instanceof QflowError ? error.code : String(error);
}

test.serial("messages come back as they were sent, whatever they are packed with by client or broker", async (t) => {
  const kafka = open(t);
  const large = Buffer.alloc(1_000_000, "large ");
  for (const compression of KAFKA_COMPRESSIONS) {
    const repacked = compression === "none" ? "uncompressed" : compression;
    for (const [name, config] of [
      ["sent", {}],
      ["repacked", { "compression.type": repacked }],
    ] as const) {
      const topic = `packed-${name}-${compression}`;
      await kafka.createTopic(topic, { partitions: 1, config });
      const sender = kafka.sender(name === "sent" ? { compression } : {});
      await sender.send(topic, [
        { key: null, value: Buffer.from("no key") },
        { key: Buffer.from("k"), value: null, headers: { who: "it" } },
        { key: Buffer.from("large"), value: large },
      ]);
      await sender.close();
      const [first, second, third] = await readAll(kafka, topic);
      t.deepEqual([first?.key, first?.value?.toString()], [null, "no key"], topic);
      t.deepEqual([second?.key?.toString(), second?.value, second?.headers], ["k", null, { who: "it" }], topic);
      t.true(third?.value?.equals(large), topic);
    }
  }
});

test.serial("an aborted transaction is not read, also where its end comes with a later answer", async (t) => {
  const kafka = open(t);
  await kafka.createTopic("transactions", { partitions: 1 });
  const many = Array.from({ length: 50 }, (_, n) => value(`aborted ${n} ${"x".repeat(1_000)}`));
  for (const end of ["abort", "commit", "abort"] as const) {
    const transaction = await kafka.transaction("one");
    for (const message of many) await transaction.send("transactions", [end === "abort" ? message : value("kept")]);
    await transaction[end]();
  }
  t.deepEqual(texts(await readAll(kafka, "transactions", { maxBytes: 5_000, waitMs: 100 })), Array(50).fill("kept"));
});

test.serial("whoever opens a transaction under the same id ends the one before", async (t) => {
  const kafka = open(t);
  await kafka.createTopic("fenced", { partitions: 1 });
  const zombie = await kafka.transaction("dag.task");
  await zombie.send("fenced", [value("zombie")]);
  const heir = await kafka.transaction("dag.task");
  await heir.send("fenced", [value("heir")]);
  t.is(await codeOf(zombie.commit()), "KAFKA_FENCED");
  await heir.commit();
  t.deepEqual(texts(await readAll(kafka, "fenced")), ["heir"]);
});

test.serial("what is wrong with a topic has a name of its own", async (t) => {
  const kafka = open(t);
  t.is(await codeOf(kafka.topic("nowhere")), "KAFKA_TOPIC_MISSING");
  t.is(await codeOf(kafka.sender().send("nowhere", [value("a")])), "KAFKA_TOPIC_MISSING");
  await kafka.createTopic("gone", { partitions: 1, config: { "max.message.bytes": "10000" } });
  const topic = await kafka.topic("gone");
  t.is(await codeOf(kafka.read(topic, new Map([[0, 5]]), LIMITS)), "KAFKA_OFFSET_GONE");
  t.is(await codeOf(kafka.sender().send("gone", [{ key: null, value: Buffer.alloc(20_000) }])), "KAFKA_TOO_LARGE");
  await kafka.deleteTopic("gone");
  await kafka.createTopic("gone", { partitions: 1 });
  t.is(await codeOf(kafka.read(topic, new Map([[0, 0]]), LIMITS)), "KAFKA_TOPIC_MISSING");
});

test.serial(
  "a broker that is not there, or does not answer, is told in bounded time; a signal ends at once",
  async (t) => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    t.teardown(() => void silent.close());
    await new Promise((resolve) => silent.once("listening", resolve));
    const port = (silent.address() as { port: number }).port;
    for (const broker of ["127.0.0.1:1", `127.0.0.1:${port}`]) {
      const address = { brokers: [broker], clientId: "test", tls: "off", login: null } as const;
      const startedAt = performance.now();
      const kafka = openKafka(address, { timeoutMs: 2_000 });
      t.is(await codeOf(kafka.topics()), "KAFKA_UNAVAILABLE", broker);
      t.true(performance.now() - startedAt < 60_000, broker);
      await kafka.close();
      const stopping = new AbortController();
      const stopped = openKafka(address, { signal: stopping.signal });
      const asked = codeOf(stopped.topics());
      stopping.abort(new Error("stopped"));
      t.is(await asked, "Error: stopped", broker);
      await stopped.close();
    }
    t.false((await testConnection({ ...connection, port })).ok);
    t.true((await testConnection(connection)).ok);
  },
);

test.serial("a group whose members come and go does not disturb who reads from offsets", async (t) => {
  const kafka = open(t);
  await kafka.createTopic("shared", { partitions: 4 });
  const sender = kafka.sender();
  t.teardown(() => sender.close());
  for (let n = 0; n < 40; n++) await sender.send("shared", [value(String(n), n % 4)]);
  const reading = readAll(kafka, "shared", { maxBytes: 100, waitMs: 100 });
  for (let member = 0; member < 2; member++) {
    const consumer = new Consumer({ clientId: "other", groupId: "none", bootstrapBrokers: brokers() });
    await consumer.consume({ topics: ["shared"], mode: "earliest", autocommit: true });
    await consumer.close(true);
  }
  const seen = texts(await reading).map(Number);
  t.deepEqual(
    seen.toSorted((a, b) => a - b),
    Array.from({ length: 40 }, (_, n) => n),
  );
});

test.serial("a wait is met by a message, an offset, and a consumer that has caught up", async (t) => {
  const kafka = open(t);
  await kafka.createTopic("waits", { partitions: 2 });
  const sender = kafka.sender();
  t.teardown(() => sender.close());
  await sender.send("waits", [value('{"state":"closed"}', 1)]);
  const { db, settle, due } = await bench(t, { connection: async () => connection });
  const closed = { json: { at: "/state", is: ["closed"] } };
  const spec = dag("d", {}, (d) => {
    d.sensor("closed", kafkaSensor({ topic: "waits", message: closed }));
    d.sensor("ever", kafkaSensor({ topic: "waits", message: { ...closed, from: "earliest" } }));
    d.sensor("later", kafkaSensor({ topic: "made-later", message: {} }));
    d.sensor("offset", kafkaSensor({ topic: "waits", offset: { partition: 0, reached: 1 } }));
    d.sensor("lag", kafkaSensor({ topic: "waits", lag: { consumer: "x.y", below: 5 } }));
  }).spec;
  await deploy(db, spec);
  const run = await createRun(db, { dagId: "d", by: "test" });
  await settle();
  const waiting = { closed: "deferred", later: "deferred", offset: "deferred", lag: "deferred" };
  t.deepEqual((await statesOf(db, run.id)).tasks, { ...waiting, ever: "success" });
  await sender.send("waits", [value('{"state":"open"}'), value('{"state":"closed"}')]);
  await kafka.createTopic("made-later", { partitions: 1 });
  await sender.send("made-later", [value("first")]);
  const { id } = await kafka.topic("waits");
  await db.query("insert into consumer_offset values ('x.y', 'waits', 0, $1, 0, 0), ('x.y', 'waits', 1, $1, 1, 1)", [
    id,
  ]);
  await due();
  await settle();
  t.true(Object.values((await statesOf(db, run.id)).tasks).every((state) => state === "success"));
  t.deepEqual(await xcomOf(db, "closed"), { partition: 0, offset: 1, key: null, value: { state: "closed" } });
  t.like(await xcomOf(db, "lag"), { offset: 2 });
  t.regex((await logOf(db, "later"))[1] ?? "", /there is no topic made-later/);
});

test.serial(
  "a consumption announces its dataset where there are messages, and nothing where there are none",
  async (t) => {
    const kafka = open(t);
    await kafka.createTopic("rare", { partitions: 1 });
    const sender = kafka.sender();
    t.teardown(() => sender.close());
    await sender.send("rare", [value('{"n":1}')]);
    const { db } = await workers.bench(t, { QFLOW_CONN_KAFKA_DEFAULT: `kafka://${brokers()[0]}` });
    await workers.deploy(
      db,
      `import { dag } from "qflow";
import { kafkaConsume } from "qflow/operators";
export default dag("rare", {}, (t) => void t.task("take", kafkaConsume({ topic: "rare", dataset: "staging.rare" })));`,
    );
    for (const messages of [1, 0]) {
      const run = await workers.trigger(db, "rare");
      t.is((await workers.runEnd(db, run)).tasks.take, "success");
      t.like(await workers.xcomOf(db, run, "take"), { messages });
    }
    const events = await db.query("select dataset, extra ->> 'messages' as messages from dataset_event");
    t.deepEqual(events.rows, [{ dataset: "staging.rare", messages: "1" }]);
  },
);

test.serial(
  "a DAG gets a run for each message, through a broker's kill, removed messages and a topic made again",
  async (t) => {
    const kafka = open(t);
    const db = await testDatabase(t);
    await kafka.createTopic("orders", { partitions: 2 });
    const schedule = onMessage({ connection: "kafka_default", topic: "orders", dedupe: "/id" });
    await deploy(db, dag("orders", { schedule, maxActiveRuns: 1_000 }, (d) => void d.task("a", {}, () => null)).spec);
    const warnings: string[] = [];
    const look = new MessageLook(db, { connection: async () => connection, warn: (text) => warnings.push(text) });
    t.teardown(() => look.stop());
    await look.once();
    const sender = kafka.sender();
    t.teardown(() => sender.close());
    const order = (id: number) => value(JSON.stringify({ id }), id % 2);
    await sender.send("orders", [1, 2, 3, 3, 2].map(order));
    const until = async (runs: number) => {
      for (let tries = 0; tries < 300 && (await idsOf()).length < runs; tries++)
        await look.once().then(() => sleep(100));
      return idsOf();
    };
    const idsOf = async () => {
      const found = await db.query<{ id: Json }>(
        "select m #> '{value,id}' as id from dag_run r, jsonb_array_elements(r.conf -> 'messages') m order by 1",
      );
      return found.rows.map(({ id }) => id);
    };
    t.deepEqual(await until(3), [1, 2, 3]);
    await sender.close();
    await Promise.all([engines.killAndAwait("kafka"), look.once()]);
    const back = kafka.sender();
    t.teardown(() => back.close());
    await back.send("orders", [4, 5].map(order));
    t.deepEqual(await until(5), [1, 2, 3, 4, 5]);
    await back.send("orders", [6, 7].map(order));
    const admin = new Admin({ clientId: "test", bootstrapBrokers: brokers() });
    t.teardown(() => admin.close());
    const [, odd] = await kafka.spans(await kafka.topic("orders"));
    await admin.deleteRecords({
      topics: [{ name: "orders", partitions: [{ partition: 1, offset: BigInt(odd?.latest ?? 0) }] }],
    });
    t.deepEqual(await until(6), [1, 2, 3, 4, 5, 6]);
    t.is((await messageBacklogs(db))[0]?.missed, 1);
    await kafka.deleteTopic("orders");
    await kafka.createTopic("orders", { partitions: 2 });
    await back.send("orders", [7, 8].map(order));
    t.deepEqual(await until(8), [1, 2, 3, 4, 5, 6, 7, 8]);
    t.regex(warnings.join("\n"), /another one than before/);
  },
);

test.serial("a feed is in its topic once, message for message, after the broker was killed", async (t) => {
  const kafka = open(t);
  const feed = { seed: 3, start: new Date("2026-01-01T00:00:00Z"), spacingMs: 20 };
  const count = 60_000;
  const signal = new AbortController().signal;
  let killing: Promise<void> | undefined;
  const onProgress = (messages: number) => {
    if (messages > count / 4) killing ??= engines.killAndAwait("kafka");
  };
  const options = {
    kafka,
    topic: "feed",
    partitions: 3,
    feed,
    count,
    perSecond: null,
    patienceMs: 120_000,
    signal,
    onProgress,
  };
  const sent = await sendEvents(options);
  await killing;
  t.true(sent.complete);
  const numbers = (await readAll(kafka, "feed", { maxBytes: 4_000_000, waitMs: 100 })).map(({ headers }) =>
    Number(headers.n),
  );
  t.is(numbers.length, count);
  t.is(new Set(numbers).size, count);
  t.is((await sendEvents(options)).sent, 0);
});
