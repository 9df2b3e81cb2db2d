/** The stream's sink on a real broker: right answers, each event once whatever ends it where, gaps told, dead letters replayed. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import anyTest, { type TestFn } from "ava";
import { installEngines } from "../../src/engines/install.ts";
import { installJarSets, jarSetFiles } from "../../src/engines/jar-sets.ts";
import { sendEvents } from "../../src/feed/index.ts";
import { type Kafka, openKafka } from "../../src/kafka/index.ts";
import { testEngines } from "../support/engines.ts";
import { type StreamAnswers, streamAnswers } from "../support/stream-answers.ts";
import { WarmSpark } from "./support/spark.ts";
import { allMessages } from "./support/topics.ts";

interface World {
  spark: WarmSpark;
  kafka: Kafka;
  servers: string;
  folder: string;
}

const test = anyTest as TestFn<World>;
const SUPPORT = join(import.meta.dirname, "support");
const TOPIC = "app-events";
const COUNT = 30_000;
const FEED = { seed: 11, start: new Date("2026-01-01T22:00:00Z"), spacingMs: 400 };

/** A hook has no teardown of its own. In the order in which things were started. */
const cleanups: (() => unknown)[] = [];

test.after.always(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

test.before(async (t) => {
  const hook = { teardown: (cleanup: () => unknown) => void cleanups.push(cleanup), timeout: t.timeout };
  const { config } = await testEngines(hook, ["kafka"]);
  t.timeout(900_000);
  const installation = await installEngines(config);
  await installJarSets(config, ["sparkKafka"], installation, { note() {} } as never);
  const servers = `127.0.0.1:${config.connections.kafka_default?.port}`;
  const kafka = openKafka({ brokers: [servers], clientId: "test", tls: "off", login: null });
  hook.teardown(() => kafka.close());
  const spark = await WarmSpark.start({
    "spark.driver.extraClassPath": jarSetFiles(config, "sparkKafka").join(":"),
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.driver.memory": "1g",
  });
  hook.teardown(() => spark.stop());
  const folder = await mkdtemp(join(tmpdir(), "qflow-stream-"));
  hook.teardown(() => rm(folder, { recursive: true, force: true }));
  t.context = { spark, kafka, servers, folder };
  await send(kafka, COUNT);
});

function send(kafka: Kafka, count: number) {
  const signal = new AbortController().signal;
  return sendEvents({
    kafka,
    topic: TOPIC,
    partitions: 3,
    feed: FEED,
    count,
    perSecond: null,
    patienceMs: 60_000,
    signal,
  });
}

/** Runs the sink until everything is read, or until it ends at a step. */
function sink({ spark, servers, folder }: World, more: Record<string, unknown> = {}) {
  return spark.script<{ ended?: string; batches?: number; read?: number; dead?: number }>(
    join(SUPPORT, "stream_killed.py"),
    { kill: "none", servers, topic: TOPIC, root: join(folder, "root"), most: "12000", ...more },
  );
}

async function landed({ spark }: World) {
  const [events] = await spark.sql<{ rows: number; places: number }>(
    "select count(*) as rows, count(distinct topic, generation, partition, offset) as places from standardized.app_events",
  );
  const dead = await spark.sql<{ reason: string; n: number }>(
    "select reason, count(*) as n from standardized.dead_letters group by reason order by reason",
  );
  return { ...events, dead: Object.fromEntries(dead.map(({ reason, n }) => [reason, n])) };
}

for (const step of ["staged", "committed", "moved", "published"]) {
  test.serial(`a sink that ends when a batch is ${step} is carried on by the next`, async (t) => {
    t.timeout(600_000);
    t.deepEqual(await sink(t.context, { kill: step }), { ended: "killed" });
    const { rows, places } = await landed(t.context);
    t.is(rows, places);
  });
}

test.serial("every message has landed once, and the answers are right", async (t) => {
  t.timeout(900_000);
  const { kafka, spark, folder } = t.context;
  const result = await sink(t.context);
  t.is(result.ended, undefined);
  const messages = await allMessages(kafka, TOPIC);
  t.is(messages.length, COUNT);
  const answers = streamAnswers(messages);
  t.deepEqual(await landed(t.context), { rows: answers.events, places: answers.events, dead: answers.dead });
  const listed = await spark.sql<{ hour: string; n: number }>(
    "select concat(event_date, '/', event_hour) as hour, count(*) as n from standardized.app_events group by 1 order by 1",
  );
  t.deepEqual(Object.fromEntries(listed.map(({ hour, n }) => [hour, n])), answers.hours);
  const fields = await spark.sql<{ field: string }>(
    `select distinct concat_ws(' ', field) as field from json.\`${folder}/root/ledger\` lateral view explode(fields) f as field order by 1`,
  );
  t.deepEqual(
    fields.map(({ field }) => field),
    answers.fields,
    "what the catalog is told",
  );
  t.deepEqual(await readdir(join(folder, "root/staging")), [], "nothing of a killed attempt is left");
  await spark.job("stream_reports", { days: "[]" });
  t.deepEqual(await reports(spark), reportsOf(answers));
});

test.serial("a backlog is read batch after batch, and what is less than a batch waits for its time", async (t) => {
  const { spark, servers } = t.context;
  const most = Math.floor(COUNT * 0.4);
  const { batches } = await spark.script<{ batches: number[] }>(join(SUPPORT, "stream_paced.py"), {
    ...{ servers, topic: TOPIC, most: String(most), every: "3600" },
  });
  t.is(batches.length, 2);
  // A share of each partition, rounded down.
  t.true(batches.every((count) => count > most - 3 && count <= most));
});

test.serial("files that are listed hold the same rows as the table", async (t) => {
  const [{ location } = { location: "" }] = await t.context.spark.sql<{ location: string }>(
    "select distinct regexp_extract(input_file_name(), '^(.*/app_events)/', 1) as location from standardized.app_events",
  );
  const [files] = await t.context.spark.sql(
    `select count(*) as rows, count(distinct partition, offset) as places from parquet.\`${location}\``,
  );
  const { rows, places } = await landed(t.context);
  t.deepEqual(files, { rows, places });
});

test.serial("without its checkpoint the sink goes on where it was", async (t) => {
  t.timeout(600_000);
  const before = await landed(t.context);
  await rm(join(t.context.folder, "root/checkpoint"), { recursive: true });
  t.like(await sink(t.context), { read: 0 });
  t.deepEqual(await landed(t.context), before);
  await send(t.context.kafka, COUNT + 500);
  t.like(await sink(t.context), { read: 500 });
});

test.serial("dead letters that can be read by now land once", async (t) => {
  t.timeout(600_000);
  const before = await landed(t.context);
  const waiting = before.dead.timestamp_out_of_range ?? 0;
  t.true(waiting > 0);
  const replay = () =>
    t.context.spark.script<{ landed: number; open: number }>(join(SUPPORT, "stream_fixed.py"), {
      root: join(t.context.folder, "root"),
    });
  t.like(await replay(), { landed: waiting });
  t.like(await replay(), { landed: 0 });
  const { rows, places } = await landed(t.context);
  t.deepEqual({ rows, places }, { rows: Number(before.rows) + waiting, places: Number(before.rows) + waiting });
});

test.serial("a topic that was made anew stops the sink, or is written down and gone on with", async (t) => {
  t.timeout(600_000);
  const { kafka, folder } = t.context;
  await kafka.deleteTopic(TOPIC);
  t.regex((await sink(t.context)).ended ?? "", /KAFKA_TOPIC_MISSING/);
  await send(kafka, 200);
  t.regex((await sink(t.context)).ended ?? "", /STREAM_DATA_LOSS.*made anew|STREAM_DATA_LOSS.*created anew/s);
  const before = await landed(t.context);
  t.like(await sink(t.context, { "on-loss": "record" }), { read: 200 });
  const after = await landed(t.context);
  t.is(Number(after.rows), Number(before.rows) + streamAnswers(await allMessages(kafka, TOPIC)).events);
  t.is(after.rows, after.places);
  t.true((await readdir(join(folder, "root/ledger"))).length > 0);
});

test.serial("a broker that does not answer is named", async (t) => {
  t.timeout(600_000);
  const { ended } = await sink(t.context, { servers: "127.0.0.1:1" });
  t.regex(ended ?? "", /KAFKA_UNREACHABLE/);
});

async function reports(spark: WarmSpark) {
  const read = async (sql: string) => (await spark.query(sql)).rows;
  const keyed = (rows: unknown[][], keys: number) =>
    Object.fromEntries(
      rows.map((row) => [
        row.slice(0, keys).join("|"),
        row.slice(keys).map((cell) => (/^-?\d+$/.test(String(cell)) ? Number(cell) : cell)),
      ]),
    );
  return {
    payments: keyed(
      await read(
        "select event_date, payment_method, purchases, coalesce(units, 0), coalesce(revenue, 0.00) from enriched.sales_by_payment_method order by 1, 2",
      ),
      2,
    ),
    categories: keyed(
      await read(
        "select event_date, event_hour, category, events, purchases, revenue from enriched.events_by_category order by 1, 2, 3",
      ),
      3,
    ),
    funnel: keyed(await read("select event_date, stage, events, journeys, customers from enriched.purchase_funnel"), 2),
    algorithms: keyed(
      await read(
        "select event_date, algorithm, clicks, customers, followed, bought from enriched.recommendation_clicks",
      ),
      2,
    ),
  };
}

function reportsOf({ payments, categories, funnel, algorithms }: StreamAnswers) {
  return { payments, categories, funnel, algorithms };
}
