import { mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { QflowError } from "../../src/errors.ts";
import { openStore } from "../../src/lake/index.ts";
import type { Database } from "../../src/metadata/database.ts";
import { createRun } from "../../src/metadata/runs.ts";
import type { ClaimedTask } from "../../src/metadata/work.ts";
import { finishAndClaim } from "../../src/metadata/work.ts";
import { consume } from "../../src/operators/kafka-consume.run.ts";
import { kafkaConsumeSchema } from "../../src/operators/kafka-consume.ts";
import { produce } from "../../src/operators/kafka-produce.run.ts";
import { kafkaProduceSchema } from "../../src/operators/kafka-produce.ts";
import { dagSpec, deploy, worker } from "../metadata/fixtures.ts";
import { testDatabase } from "../support/database.ts";
import { type FakeKafka, fakeKafka } from "../support/fake-kafka.ts";
import { operatorContext } from "../support/operator-context.ts";

interface World {
  readonly db: Database;
  readonly kafka: FakeKafka;
  readonly lake: string;
  /** Claims the task of a new run. */
  claim(): Promise<ClaimedTask>;
  consume(task: ClaimedTask, config?: Record<string, unknown>): ReturnType<typeof consume>;
  /** Rows of all files that a reader of the lake sees. */
  seen(): Promise<number[]>;
}

async function world(t: ExecutionContext): Promise<World> {
  const db = await testDatabase(t);
  const kafka = fakeKafka();
  await kafka.createTopic("events", { partitions: 2 });
  const home = await mkdtemp(join(tmpdir(), "qflow-kafka-"));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  const lake = join(home, "lake");
  await deploy(
    db,
    dagSpec("demo", [{ id: "take", kind: "operator", operator: { name: "kafka_consume", config: {} } }]),
  );
  const workerId = await worker(db);
  return {
    db,
    kafka,
    lake,
    claim: async () => {
      await createRun(db, { dagId: "demo", by: "test" });
      const { claimed } = await finishAndClaim(db, workerId, [], { functions: 1, operators: 1 });
      return claimed[0] as ClaimedTask;
    },
    consume: (task, config = {}) => {
      const { context } = operatorContext({ database: db, home });
      const attempt = { id: task.attemptId, token: task.token };
      const store = openStore(lake, context);
      const parsed = kafkaConsumeSchema.parse({ topic: "events", folder: "in", ...config });
      return consume({ kafka, store }, parsed, { ...context, attempt });
    },
    seen: async () => {
      const folder = join(lake, "in/events/demo.task");
      const files = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".jsonl"));
      const texts = await Promise.all(files.map((name) => readFile(join(folder, name), "utf8")));
      const rows = texts.flatMap((text) =>
        text
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line)),
      );
      return rows.map((row) => row.value.n).toSorted((a: number, b: number) => a - b);
    },
  };
}

const events = (...numbers: number[]) => numbers.map((n) => JSON.stringify({ n }));

test("each run consumes what came since the last; what is no JSON object is dead with its bytes", async (t) => {
  const { kafka, claim, consume, seen, db } = await world(t);
  kafka.put("events", 0, [...events(1, 2), "{", "[]", ""]);
  kafka.put("events", 1, events(3));
  const first = await consume(await claim());
  t.like(first, { messages: 3, dead: 3, missed: 0 });
  kafka.put("events", 1, events(4));
  t.like(await consume(await claim()), {
    messages: 1,
    ranges: [
      { partition: 0, from: 5, to: 5 },
      { partition: 1, from: 1, to: 2 },
    ],
  });
  t.like(await consume(await claim()), { messages: 0, file: null });
  t.deepEqual(await seen(), [1, 2, 3, 4]);
  const dead = await db.query("select message_offset::int as at, value, reason from dead_message order by 1");
  t.deepEqual(
    dead.rows.map(({ at, value, reason }) => [at, value.toString(), reason]),
    [
      [2, "{", "it is not JSON"],
      [3, "[]", "it is no JSON object"],
      [4, "", "it is not JSON"],
    ],
  );
});

test("an attempt that fails before it commits leaves nothing that a reader sees; the next run has it all", async (t) => {
  const { kafka, claim, consume, seen, db } = await world(t);
  kafka.put("events", 0, events(1, 2));
  const task = await claim();
  await db.query("update task_attempt set revoked = 'cancelled' where attempt_id = $1", [task.attemptId]);
  const error = await t.throwsAsync(() => consume(task), { instanceOf: QflowError });
  t.is((error as QflowError).code, "FENCED");
  t.deepEqual(await seen(), []);
  kafka.put("events", 0, events(3));
  await consume(await claim());
  t.deepEqual(await seen(), [1, 2, 3]);
});

test("a try after one that committed returns the same; a file left without its name gets it", async (t) => {
  const { kafka, claim, consume, seen, db, lake } = await world(t);
  kafka.put("events", 0, events(1, 2));
  const task = await claim();
  const result = await consume(task);
  kafka.put("events", 0, events(3));
  t.deepEqual(await consume(task), result);
  // As if it had been killed between commit and rename.
  const found = await db.query<{ file: string }>("select file from consumption");
  const file = found.rows[0]?.file ?? "";
  const staged = file.replace(/[^/]*$/, "_staged/$&");
  await rename(join(lake, file), join(lake, staged));
  await db.query("update consumption set staged = $1", [staged]);
  t.deepEqual(await seen(), []);
  await consume(await claim());
  t.deepEqual(await seen(), [1, 2, 3]);
});

test("two that consume the same at once: one of them is refused", async (t) => {
  const { kafka, claim, consume, seen } = await world(t);
  kafka.put("events", 0, events(1, 2));
  const tasks = [await claim(), await claim()];
  // Each has read before the other records.
  const both = Promise.withResolvers<void>();
  const read = kafka.read.bind(kafka);
  let reads = 0;
  kafka.read = async (...args) => {
    if (++reads === 2) both.resolve();
    await both.promise;
    return read(...args);
  };
  const results = await Promise.allSettled(tasks.map((task) => consume(task)));
  const failed = results.flatMap((one) => (one.status === "rejected" ? [(one.reason as QflowError).code] : []));
  t.deepEqual(failed, ["KAFKA_FENCED"]);
  t.deepEqual(await seen(), [1, 2]);
});

test("removed messages fail the task, or are passed and counted; a topic made again is read from its beginning", async (t) => {
  const { kafka, claim, consume, seen } = await world(t);
  kafka.put("events", 0, events(1));
  await consume(await claim());
  kafka.put("events", 0, events(2, 3, 4));
  kafka.trim("events", 0, 3);
  const error = await t.throwsAsync(async () => consume(await claim()), { instanceOf: QflowError });
  t.is((error as QflowError).code, "KAFKA_OFFSET_GONE");
  t.like(await consume(await claim(), { onGap: "skip" }), { messages: 1, missed: 2 });
  await kafka.deleteTopic("events");
  await kafka.createTopic("events", { partitions: 1 });
  kafka.put("events", 0, events(5));
  await consume(await claim());
  t.deepEqual(await seen(), [1, 4, 5]);
});

test("the limits leave the rest for the next run; rows are the task's value", async (t) => {
  const { kafka, claim, consume } = await world(t);
  kafka.put("events", 0, [...events(1, 2, 3, 4), JSON.stringify({ n: "\u0000" })]);
  const config = { into: "rows", maxMessages: 3 };
  const first = await consume(await claim(), config);
  t.deepEqual(
    first.rows.map(({ offset, value }) => [offset, value]),
    [
      [0, { n: 1 }],
      [1, { n: 2 }],
      [2, { n: 3 }],
    ],
  );
  t.like(await consume(await claim(), config), { messages: 1, dead: 1 });
});

test("messages are sent once, also where a try was killed after it had sent them", async (t) => {
  const { kafka, db } = await world(t);
  const home = tmpdir();
  const config = kafkaProduceSchema.parse({
    topic: "events",
    messages: [{ value: { n: 1 } }, { key: "k", value: null }],
  });
  const { context, recorded } = operatorContext({ database: db, home });
  kafka.put("events", 0, ["earlier"]);
  t.like(await produce(kafka, config, context), { messages: 2, sentBefore: false });
  const again = operatorContext({ database: db, home, previousHandle: recorded.handles[0] ?? null });
  t.like(await produce(kafka, config, again.context), { sentBefore: true });
  t.is(kafka.messages("events").length, 3);
  const other = operatorContext({ database: db, home, runId: "run-2", previousHandle: recorded.handles[0] ?? null });
  await produce(kafka, config, other.context);
  t.is(kafka.messages("events").length, 5, "another run sends its own");
});

test("an attempt that has lost its task sends nothing", async (t) => {
  const { kafka, db } = await world(t);
  const config = kafkaProduceSchema.parse({ topic: "events", messages: [{ value: "a" }] });
  const permit = () => Promise.reject(new QflowError("FENCED", "no"));
  const { context } = operatorContext({ database: db, home: tmpdir(), permit });
  await t.throwsAsync(() => produce(kafka, config, context));
  t.is(kafka.messages("events").length, 0);
});
