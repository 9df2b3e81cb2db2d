/** A lake that is full under the sink: it says so, nothing that was visible goes, and with room again everything lands once. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import type { Connection } from "../../src/dag/operator.ts";
import { installEngines } from "../../src/engines/install.ts";
import { installJarSets } from "../../src/engines/jar-sets.ts";
import { sendEvents } from "../../src/feed/index.ts";
import { type Kafka, openKafka } from "../../src/kafka/index.ts";
import { openStore } from "../../src/lake/index.ts";
import { testEngines } from "../support/engines.ts";
import { WarmSpark } from "./support/spark.ts";
import { readSoFar, sinkConf, submitSink } from "./support/submitted-sink.ts";

const TOPIC = "app-events";
const FEED = { seed: 13, start: new Date("2026-01-01T22:00:00Z"), spacingMs: 400 };
const LEDGER = "checkpoints/app_events/ledger";

test.serial(
  "a quota of HDFS that is used up, while a batch is written and while a committed one is published",
  async (t) => {
    const { config } = await testEngines(t, ["kafka", "hdfs"]);
    t.timeout(1_200_000);
    await installJarSets(config, ["sparkKafka"], await installEngines(config), { note() {} } as never);
    const folder = await mkdtemp(join(tmpdir(), "qflow-full-"));
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    const hdfs = config.connections.hdfs_default as Connection;
    const lake = `hdfs://127.0.0.1:${hdfs.port}/lake`;
    const store = openStore(lake, { connection: () => hdfs });
    const servers = `127.0.0.1:${config.connections.kafka_default?.port}`;
    const kafka = openKafka({ brokers: [servers], clientId: "test", tls: "off", login: null });
    t.teardown(() => kafka.close());
    const conf = sinkConf(config, `${lake}/warehouse`, folder);
    const args = ["--servers", servers, "--topic", TOPIC, "--root", `${lake}/checkpoints/app_events`];
    const sink = async () => (await submitSink(conf, folder, args)).ended;

    await send(kafka, 3_000);
    t.is((await sink()).code, 0);
    t.is(await readSoFar(store, LEDGER), 3_000);
    await send(kafka, 6_000);

    // Less than a block is left: no new file can be begun.
    await quota(hdfs, "/lake", 1);
    const written = await sink();
    t.not(written.code, 0);
    t.regex(written.output, /LAKE_FULL: The DiskSpace quota of \/lake is exceeded/);
    await quota(hdfs, "/lake", -1);
    t.is(await readSoFar(store, LEDGER), 3_000, "nothing was committed");

    await quota(hdfs, "/lake/warehouse", 1);
    const published = await sink();
    t.not(published.code, 0);
    t.regex(published.output, /LAKE_FULL: The DiskSpace quota of \/lake\/warehouse is exceeded/);
    t.is(await readSoFar(store, LEDGER), 6_000, "the batch is committed, and not to be seen yet");
    const again = await sink();
    t.regex(again.output, /LAKE_FULL/, "what is committed is carried out before anything else");
    await quota(hdfs, "/lake/warehouse", -1);

    t.is((await sink()).code, 0);
    t.is(await readSoFar(store, LEDGER), 6_000);
    const reader = await WarmSpark.start(conf);
    t.teardown(() => reader.stop());
    const places = "select topic, partition, offset from";
    const [seen] = await reader.sql(
      `select count(*) as rows, count(distinct topic, partition, offset) as places from (
       ${places} parquet.\`${lake}/warehouse/standardized.db/app_events\`
       union all ${places} parquet.\`${lake}/warehouse/standardized.db/dead_letters\`)`,
    );
    t.deepEqual(seen, { rows: 6_000, places: 6_000 });
  },
);

function send(kafka: Kafka, count: number) {
  const signal = AbortSignal.timeout(120_000);
  return sendEvents({
    ...{ kafka, topic: TOPIC, partitions: 3, feed: FEED, count, perSecond: null, patienceMs: 60_000, signal },
  });
}

/** Limits the bytes below a folder; -1 = no limit. */
async function quota({ host, user, options }: Connection, folder: string, bytes: number): Promise<void> {
  const query = new URLSearchParams({ op: "SETQUOTA", storagespacequota: String(bytes), "user.name": user });
  const answer = await fetch(`http://${host}:${options.http}/webhdfs/v1${folder}?${query}`, { method: "PUT" });
  if (!answer.ok) throw new Error(`HTTP ${answer.status} ${await answer.text()}`);
}
