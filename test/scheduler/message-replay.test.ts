import test, { type ExecutionContext } from "ava";
import type { DagSpec, MessageSchedule } from "../../src/dag/spec.ts";
import type { Database } from "../../src/metadata/database.ts";
import { listDeadMessages } from "../../src/metadata/dead-messages.ts";
import { bury } from "../../src/metadata/message-inbox.ts";
import { replayDeadMessages } from "../../src/scheduler/message-replay.ts";
import { MessageLook } from "../../src/scheduler/messages.ts";
import { startTestApi } from "../api/support.ts";
import { dagSpec, deploy } from "../metadata/fixtures.ts";
import { testDatabase } from "../support/database.ts";
import { fakeKafka } from "../support/fake-kafka.ts";

const STRICT = { type: "object", properties: { id: { type: "integer" } }, required: ["id"] };
const LOOSE = { type: "object", properties: { id: {} } };

function orders(dedupe: MessageSchedule["dedupe"], params: DagSpec["params"]): DagSpec {
  const schedule: MessageSchedule = {
    kind: "messages",
    connection: "kafka_default",
    topic: "orders",
    dedupe,
    from: "earliest",
    window: null,
  };
  return dagSpec("orders", [{ id: "take" }], { schedule, params, maxActiveRuns: 100 });
}

/** Messages of partition 0 that a DAG has looked at. */
async function looked(t: ExecutionContext, db: Database, spec: DagSpec, values: readonly string[]) {
  const kafka = fakeKafka();
  await kafka.createTopic("orders", { partitions: 1 });
  await deploy(db, spec);
  kafka.put("orders", 0, [...values]);
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
  const look = new MessageLook(db, { connection, warn: (text) => t.log(text), open: async () => kafka });
  await look.once();
  return look;
}

const replay = (db: Database, choice: Parameters<typeof replayDeadMessages>[1]) =>
  db.transaction((sql) => replayDeadMessages(sql, choice));

async function ids(db: Database): Promise<unknown[]> {
  const found = await db.query<{ id: unknown }>(
    "select params -> 'id' as id from dag_run order by (params -> 'id')::text desc",
  );
  return found.rows.map(({ id }) => id);
}

async function open(db: Database): Promise<number[]> {
  const page = await listDeadMessages(db, { dagId: "orders", state: "open" }, { limit: 100, offset: 0 });
  return page.rows.map(({ id }) => Number(id)).sort((a, b) => a - b);
}

test("after a fix every dead message starts one run, however often it is replayed; what fails again is open again", async (t) => {
  const db = await testDatabase(t);
  const look = await looked(t, db, orders("offset", STRICT), ['{"id":"x"}', '{"id":1}', '{"id":"y"}']);
  t.deepEqual(await ids(db), [1]);
  const [first, second] = await open(db);
  t.deepEqual(await replay(db, { ids: [first as number] }), { replayed: 1, duplicates: 0, refused: [], left: 0 });
  t.deepEqual(await open(db), [second]);
  await t.throwsAsync(replay(db, { ids: [first as number] }), { code: "NOT_FOUND" });
  await look.once();
  t.deepEqual(await open(db), [first, second], "nothing was fixed yet");

  await deploy(db, orders("offset", LOOSE));
  t.like(await replay(db, { dagId: "orders" }), { replayed: 2, left: 0 });
  t.like(await replay(db, { dagId: "orders" }), { replayed: 0, duplicates: 0, left: 0 });
  await look.once();
  await look.once();
  t.deepEqual(await ids(db), [1, "y", "x"]);
  t.deepEqual(await open(db), []);
});

test("a message that nothing told from others is told by what the DAG asks for now, and starts nothing where that was used", async (t) => {
  const db = await testDatabase(t);
  const values = ['{"id":1}', '{"no":1}', '{"nr":7,"id":2}', "no json"];
  const look = await looked(t, db, orders({ pointer: "/nr" }, LOOSE), values);
  const [one, , broken] = await open(db);
  t.deepEqual(await ids(db), [2]);
  await deploy(db, orders({ pointer: "/id" }, LOOSE));
  const { replayed, refused } = await replay(db, { dagId: "orders" });
  t.is(replayed, 1);
  t.is(refused.length, 2);
  t.regex(refused[0]?.reason ?? "", /no value at \/id/);
  await look.once();
  t.deepEqual(await ids(db), [2, 1]);
  t.false((await open(db)).includes(one as number));
  // The place in the topic tells every message from others.
  await deploy(db, orders("offset", LOOSE));
  t.like(await replay(db, { ids: [broken as number] }), { replayed: 1 });
  await look.once();
  t.is((await ids(db)).length, 3);
});

test("a replay does not bring back another message of the same key that was used", async (t) => {
  const db = await testDatabase(t);
  const look = await looked(t, db, orders({ pointer: "/nr" }, LOOSE), ['{"nr":1,"id":5}', '{"id":5}']);
  // The same key as the message that started the run has.
  await db.query("update dead_message set dedupe_key = (select dedupe_key from message_inbox limit 1)");
  t.deepEqual(await replay(db, { dagId: "orders" }), { replayed: 0, duplicates: 1, refused: [], left: 0 });
  await look.once();
  t.deepEqual(await ids(db), [5]);
  t.deepEqual(await open(db), []);
});

test("what a task consumed, and what nothing would start any more, stays where it is", async (t) => {
  const db = await testDatabase(t);
  await looked(t, db, orders("offset", STRICT), ['{"id":"x"}']);
  const message = {
    topic: "orders",
    partition: 0,
    offset: 9,
    sentAt: new Date(),
    key: null,
    value: null,
    bytes: 0,
    reason: "r",
  };
  await db.transaction((sql) => bury(sql, { dagId: "orders", taskId: "take" }, [message]));
  const [started, consumed] = await open(db);
  t.regex((await replay(db, { ids: [consumed as number] })).refused[0]?.reason ?? "", /task take consumed it/);
  t.like(await replay(db, { dagId: "orders" }), { replayed: 1, refused: [] });
  await db.query("update dead_message set replayed_at = null");
  await deploy(db, { ...orders("offset", STRICT), schedule: null });
  t.regex((await replay(db, { ids: [started as number] })).refused[0]?.reason ?? "", /do not start its DAG/);
});

test("over HTTP: viewers see that there are some, users what they hold, and who replays is in the audit log", async (t) => {
  const api = await startTestApi(t);
  await looked(t, api.db, orders("offset", STRICT), ['{"id":"secret"}']);
  const viewer = await api.as("viewer");
  const { body } = await viewer("GET", "/api/dead-messages?dag_id=orders&state=open");
  t.like(body.dead_messages[0], { topic: "orders", offset: "0", state: "open", task_id: null });
  t.false("value" in body.dead_messages[0]);
  const id = Number(body.dead_messages[0].id);
  t.is((await viewer("GET", `/api/dead-messages/${id}`)).status, 403);
  t.is((await viewer("POST", "/api/dead-messages/replay", { ids: [id] })).status, 403);
  const user = await api.as("user");
  t.like((await user("GET", `/api/dead-messages/${id}`)).body, {
    value: '{"id":"secret"}',
    value_base64: Buffer.from('{"id":"secret"}').toString("base64"),
    key: null,
  });
  t.is((await user("GET", "/api/dead-messages/x")).status, 404);
  t.like((await user("POST", "/api/dead-messages/replay", { dag_id: "orders" })).body, { replayed: 1, left: 0 });
  const audit = await api.db.query("select from audit_log where action = 'dead_messages.replay' and error is null");
  t.is(audit.rowCount, 1);
});
