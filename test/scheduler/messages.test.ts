import { randomUUID } from "node:crypto";
import test, { type ExecutionContext } from "ava";
import type { DagSpec, Json, MessageSchedule } from "../../src/dag/spec.ts";
import type { Database, Sql } from "../../src/metadata/database.ts";
import { bury, takeIn } from "../../src/metadata/message-inbox.ts";
import { leaseSources, messageBacklogs, READ_AHEAD } from "../../src/metadata/message-sources.ts";
import { pauseDag, unpauseDag } from "../../src/metadata/runs.ts";
import { MessageLook } from "../../src/scheduler/messages.ts";
import { dagSpec, deploy, success, work } from "../metadata/fixtures.ts";
import { testDatabase } from "../support/database.ts";
import { type FakeKafka, fakeKafka } from "../support/fake-kafka.ts";

const SCHEDULE: MessageSchedule = {
  kind: "messages",
  connection: "kafka_default",
  topic: "orders",
  dedupe: "offset",
  from: "latest",
  window: null,
};

interface Setting {
  readonly db: Database;
  readonly kafka: FakeKafka;
  readonly warnings: string[];
  look(): MessageLook;
}

async function setting(
  t: ExecutionContext,
  schedule: Partial<MessageSchedule> = {},
  given: Partial<DagSpec> = {},
): Promise<Setting> {
  const db = await testDatabase(t);
  const kafka = fakeKafka();
  await kafka.createTopic("orders", { partitions: 2 });
  await deploy(db, orders(schedule, given));
  const warnings: string[] = [];
  const connection = async (id: string) => ({
    id,
    kind: "kafka",
    host: "h",
    port: 1,
    user: "",
    password: "",
    path: "",
    options: {},
  });
  const look = () => new MessageLook(db, { connection, warn: (text) => warnings.push(text), open: async () => kafka });
  return { db, kafka, warnings, look };
}

function orders(schedule: Partial<MessageSchedule>, given: Partial<DagSpec> = {}): DagSpec {
  return dagSpec("orders", [{ id: "take" }], { schedule: { ...SCHEDULE, ...schedule }, maxActiveRuns: 100, ...given });
}

/** Params of the runs, in order. */
async function runs(db: Database): Promise<Json[]> {
  const found = await db.query<{ params: Json }>(
    "select params from dag_run where dag_id = 'orders' and kind = 'message' order by id",
  );
  return found.rows.map(({ params }) => params);
}

/** What the messages of runs held. */
async function values(db: Database): Promise<Json[]> {
  const found = await db.query<{ value: Json }>(
    "select m -> 'value' as value from dag_run r, jsonb_array_elements(r.conf -> 'messages') m where r.dag_id = 'orders' order by r.id",
  );
  return found.rows.map(({ value }) => value);
}

async function dead(db: Database): Promise<{ offset: number; reason: string }[]> {
  const found = await db.query<{ offset: number; reason: string }>(
    `select message_offset::float8 as "offset", reason from dead_message order by id`,
  );
  return found.rows;
}

test("a run a message, from when the DAG is first known", async (t) => {
  const { db, kafka, look } = await setting(t);
  kafka.put("orders", 0, ['{"id":"before"}']);
  await look().once();
  kafka.put("orders", 0, ['{"id":1}']);
  kafka.put("orders", 1, ["no json", null]);
  const one = look();
  await one.once();
  t.deepEqual(await values(db), [], "another scheduler has the topic");
  await freeLeases(db);
  await one.once();
  t.deepEqual(await values(db), [{ id: 1 }, "no json", null]);
  await one.once();
  t.is((await runs(db)).length, 3);
});

test("a message that cannot be used is kept whole, however large; a hash is of the bytes that are kept", async (t) => {
  const { db, kafka, look } = await setting(t, { dedupe: { pointer: "/id" }, from: "earliest" });
  kafka.put("orders", 0, ["x".repeat(100_000), null]);
  const one = look();
  await one.once();
  const kept = await db.query(
    "select bytes, octet_length(value) as held, sha256 = sha256(coalesce(value, '')) as matches from dead_message order by id",
  );
  t.deepEqual(kept.rows, [
    { bytes: 100_000, held: 100_000, matches: true },
    { bytes: 0, held: null, matches: true },
  ]);
  await db.transaction((sql) =>
    bury(sql, { dagId: "orders", taskId: null }, [
      {
        topic: "orders",
        partition: 0,
        offset: 7,
        sentAt: new Date(),
        key: null,
        value: null,
        bytes: 70_000,
        reason: "r",
      },
    ]),
  );
  const last = await db.query("select sha256 from dead_message where message_offset = 7");
  t.deepEqual(last.rows, [{ sha256: null }], "what was not kept has no hash");
});

test("a second message with the same key starts nothing, also after its run", async (t) => {
  const { db, kafka, look } = await setting(t, { dedupe: { pointer: "/id" }, from: "earliest" });
  kafka.put("orders", 0, ['{"id":1}', '{"id":2}', '{"id":1,"again":true}', '{"other":1}', "{"]);
  const one = look();
  await one.once();
  await work(db, () => success());
  kafka.put("orders", 1, ['{"id":2}', '{"id":"2"}']);
  await one.once();
  t.deepEqual(await values(db), [{ id: 1 }, { id: 2 }, { id: "2" }]);
  t.deepEqual(
    (await dead(db)).map(({ offset }) => offset),
    [3, 4],
  );
});

test("what comes while the DAG is paused starts runs when it is not any more", async (t) => {
  const { db, kafka, look } = await setting(t);
  const one = look();
  await pauseDag(db, "orders");
  await one.once();
  kafka.put("orders", 0, ['{"id":1}', '{"id":2}']);
  await one.once();
  t.deepEqual(await runs(db), []);
  await unpauseDag(db, "orders");
  await one.once();
  t.is((await runs(db)).length, 2);
});

test("as many messages wait here as agreed, the rest in the topic", async (t) => {
  const count = READ_AHEAD * 2 + 345;
  const { db, kafka, look } = await setting(t, { from: "earliest" }, { maxActiveRuns: 1 });
  kafka.put(
    "orders",
    0,
    Array.from({ length: count }, (_, id) => JSON.stringify({ id })),
  );
  const one = look();
  while ((await one.once()).more);
  const [backlog] = await messageBacklogs(db);
  const waiting = backlog?.waiting ?? 0;
  t.true(waiting > READ_AHEAD / 2 && waiting <= READ_AHEAD, `${waiting} wait`);
  t.is((backlog?.waiting ?? 0) + (backlog?.lag ?? 0), count - 1);
  t.is((await runs(db)).length, 1);
});

test("a window takes what is there when it is full, or old enough", async (t) => {
  const { db, kafka, look } = await setting(t, { window: { messages: 3, milliseconds: 60_000 }, from: "earliest" });
  kafka.put("orders", 0, ["1", "2", "3", "4"]);
  const one = look();
  await one.once();
  t.deepEqual(await values(db), [1, 2, 3]);
  await one.once();
  t.is((await runs(db)).length, 1, "one message does not fill a window");
  await db.query("update message_inbox set received_at = received_at - interval '61 s'");
  await one.once();
  t.deepEqual(await values(db), [1, 2, 3, 4]);
});

test("a message that no run can be made of is dead, and holds up no other", async (t) => {
  const params = { type: "object", properties: { id: { type: "integer" } }, required: ["id"] };
  const { db, kafka, look } = await setting(t, { from: "earliest" }, { params });
  kafka.put("orders", 0, ['{"id":"x"}', '{"id":1,"more":2}']);
  const one = look();
  await one.once();
  t.deepEqual(await runs(db), [{ id: 1 }]);
  const [buried] = await dead(db);
  t.regex(buried?.reason ?? "", /params.id/);
});

test("a message that the database cannot keep is dead after three tries", async (t) => {
  const { db, kafka, look } = await setting(t, { from: "earliest" });
  kafka.put("orders", 0, [JSON.stringify({ id: "\u0000" }), '{"id":1}']);
  const one = look();
  await one.once();
  t.deepEqual([await values(db), await dead(db)], [[{ id: 1 }], []]);
  await one.once();
  await one.once();
  t.is((await dead(db)).length, 1);
  t.false((await one.once()).more);
});

test("a topic that is made again is read from its beginning", async (t) => {
  const { db, kafka, look, warnings } = await setting(t);
  const one = look();
  await one.once();
  kafka.put("orders", 0, ['"old"']);
  await one.once();
  await kafka.deleteTopic("orders");
  await one.once();
  t.regex(warnings.join(), /there is no topic orders/);
  t.regex((await messageBacklogs(db))[0]?.problem ?? "", /no topic/);
  await kafka.createTopic("orders", { partitions: 1 });
  kafka.put("orders", 0, ['"new"']);
  await one.once();
  t.deepEqual(await values(db), ["old", "new"]);
  t.is((await messageBacklogs(db))[0]?.problem, null);
});

test("a topic that comes after the DAG is read from its beginning", async (t) => {
  const { db, kafka, look } = await setting(t);
  await kafka.deleteTopic("orders");
  const one = look();
  await one.once();
  await kafka.createTopic("orders", { partitions: 1 });
  kafka.put("orders", 0, ["1"]);
  await one.once();
  t.deepEqual(await values(db), [1]);
});

test("messages that were removed before they were read are counted, and reading goes on", async (t) => {
  const { db, kafka, look, warnings } = await setting(t, { from: "earliest" });
  const one = look();
  kafka.put("orders", 0, ["1"]);
  await one.once();
  kafka.put("orders", 0, ["2", "3", "4"]);
  kafka.trim("orders", 0, 3);
  await one.once();
  t.deepEqual(await values(db), [1, 4]);
  t.is((await messageBacklogs(db))[0]?.missed, 2);
  t.regex(warnings.join(), /2 messages of partition 0 were removed/);
});

test("who has lost the lease takes nothing in", async (t) => {
  const { db, kafka, look } = await setting(t, { from: "earliest" });
  const [one, two] = [look(), look()];
  await one.once();
  kafka.put("orders", 0, ["1", "2"]);
  const read = kafka.read.bind(kafka);
  kafka.read = async (...args) => {
    kafka.read = read;
    const found = await read(...args);
    await freeLeases(db);
    await two.once();
    return found;
  };
  await one.once();
  t.deepEqual(await values(db), [1, 2]);
  await one.once();
  t.is((await runs(db)).length, 2);
});

test("what was read under a lease that is somebody else's by now, or is over, is not taken in", async (t) => {
  const { db, look } = await setting(t);
  await look().once();
  const cursors = [{ partition: 0, next: 7, end: 9, missed: 0 }];
  const intake = { dagId: "orders", topicId: "1", epoch: 1, messages: [], dead: [], cursors };
  const lease = randomUUID();
  t.is(await takeIn(db, { ...intake, lease }), null);
  await freeLeases(db);
  await leaseSources(db, lease, 20);
  await freeLeases(db);
  t.is(await takeIn(db, { ...intake, lease }), null);
  t.is((await db.query("select from message_cursor where next_offset = 7")).rowCount, 0);
  await leaseSources(db, lease, 20);
  t.is(await takeIn(db, { ...intake, lease }), 0);
});

test("of two schedulers that see a lease run out at once, one gets it", async (t) => {
  const { db, look } = await setting(t);
  await look().once();
  await freeLeases(db);
  const [one, two] = [randomUUID(), randomUUID()];
  let isFirst = true;
  const slow: Sql = {
    query: async (text: string, values?: unknown[]) => {
      const found = await db.query(text, values);
      if (isFirst) {
        isFirst = false;
        t.is((await leaseSources(db, two, 20)).length, 1);
      }
      return found as never;
    },
  };
  t.deepEqual(await leaseSources(slow, one, 20), []);
  t.is((await leaseSources(db, two, 20)).length, 1);
});

/** As if the scheduler that reads had been gone for long enough. */
async function freeLeases(db: Database): Promise<void> {
  await db.query("update message_source set leased_until = '-infinity'");
}
