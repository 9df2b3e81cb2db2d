/** kill -9 of the sink's driver, the broker, the NameNode and the DataNode on the way: what has landed on HDFS is what was sent. */
import type { ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import type { Connection } from "../../src/dag/operator.ts";
import { installEngines } from "../../src/engines/install.ts";
import { installJarSets } from "../../src/engines/jar-sets.ts";
import { sendEvents } from "../../src/feed/index.ts";
import { openKafka } from "../../src/kafka/index.ts";
import { openStore } from "../../src/lake/index.ts";
import { until } from "../engines/support/processes.ts";
import { testEngines } from "../support/engines.ts";
import { WarmSpark } from "./support/spark.ts";
import { readSoFar, sinkConf, submitSink } from "./support/submitted-sink.ts";

const TOPIC = "app-events";
/** Takes minutes, so only where it is asked for; a few thousand show that it works. */
const COUNT = Number(process.env.QFLOW_TEST_EVENTS ?? 0);
const LEDGER = "checkpoints/app_events/ledger";
const FEED = { seed: 12, start: new Date("2026-01-01T22:00:00Z"), spacingMs: 400 };
const VICTIMS = ["driver", "namenode", "kafka", "datanode"] as const;
/** The producer is at work for so long, unless its broker is away. */
const SEND_SECONDS = 30;
const LONGEST_MS = 1_500_000;

(COUNT > 0 ? test : test.skip)("rows, distinct offsets and files are what was sent, whatever was killed", async (t) => {
  const { config, killAndAwait } = await testEngines(t, ["kafka", "hdfs"]);
  t.timeout(1_800_000);
  const installation = await installEngines(config);
  await installJarSets(config, ["sparkKafka"], installation, { note() {} } as never);
  const folder = await mkdtemp(join(tmpdir(), "qflow-kills-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const servers = `127.0.0.1:${config.connections.kafka_default?.port}`;
  const lake = `hdfs://127.0.0.1:${config.connections.hdfs_default?.port}/lake`;
  const conf = {
    ...sinkConf(config, `${lake}/warehouse`, folder),
    "spark.hadoop.dfs.client.block.write.locateFollowingBlock.initial.delay.ms": "20",
  };
  const kafka = openKafka({ brokers: [servers], clientId: "test", tls: "off", login: null });
  t.teardown(() => kafka.close());
  await kafka.createTopic(TOPIC, { partitions: 3 });

  const signal = AbortSignal.timeout(LONGEST_MS);
  const sending = sendEvents({
    ...{
      kafka,
      topic: TOPIC,
      partitions: 3,
      feed: FEED,
      count: COUNT,
      perSecond: COUNT / SEND_SECONDS,
      patienceMs: 300_000,
      signal,
    },
  });
  const most = String(Math.ceil(COUNT / 12));
  const args = ["--servers", servers, "--topic", TOPIC, "--root", `${lake}/checkpoints/app_events`, "--most", most];
  const store = openStore(lake, { connection: () => config.connections.hdfs_default as Connection });
  const running: { sink: ChildProcess | null; killed: string[] } = { sink: null, killed: [] };
  const killing = (async () => {
    for (const [index, victim] of VICTIMS.entries()) {
      // Spread over the way. While the NameNode is away, or nothing was read yet, there is nothing to ask.
      const due = (COUNT * (index + 1)) / (VICTIMS.length + 1);
      await until(async () => signal.aborted || (await readSoFar(store, LEDGER).catch(() => 0)) >= due, LONGEST_MS);
      if (victim === "driver") running.sink?.kill("SIGKILL");
      else await killAndAwait(victim);
      running.killed.push(victim);
    }
  })();
  let attempts = 0;
  for (let done = false; !done && attempts < 20; attempts++) {
    // The last attempt begins when everything was sent and killed.
    const last = running.killed.length === VICTIMS.length;
    const sink = await submitSink(conf, folder, args);
    running.sink = sink.process;
    const { code } = await sink.ended;
    done = last && code === 0;
  }
  await killing;
  t.is((await sending).counts.messages, COUNT);
  t.deepEqual(running.killed, [...VICTIMS]);
  t.true(attempts > 1);

  const reader = await WarmSpark.start(conf);
  t.teardown(() => reader.stop());
  const places = "select topic, partition, offset from";
  const seen = (events: string, dead: string) =>
    reader.sql(
      `select count(*) as rows, count(distinct topic, partition, offset) as places from (${places} ${events} union all ${places} ${dead})`,
    );
  const sent = [{ rows: COUNT, places: COUNT }];
  t.deepEqual(await seen("standardized.app_events", "standardized.dead_letters"), sent);
  const listed = (name: string) => `parquet.\`${lake}/warehouse/standardized.db/${name}\``;
  t.deepEqual(await seen(listed("app_events"), listed("dead_letters")), sent);
  const [last] = await reader.sql<{ until: Record<string, number> }>(
    `select max_by(until, name) as until from json.\`${lake}/checkpoints/app_events/ledger\``,
  );
  const ends = (await kafka.spans(await kafka.topic(TOPIC))).map(({ partition, latest }) => [partition, latest]);
  t.deepEqual(last?.until, Object.fromEntries(ends));
});
