/**
 * The stream from Kafka to the lake, and what it is held against: how fast the topic can be read at all. With `--kills` everything it
 * is made of is killed (-9) while it runs, and what has landed is compared with what was sent.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { EngineName } from "../src/engines/index.ts";
import { jarSetFiles } from "../src/engines/jar-sets.ts";
import { WarmSpark } from "../test/platform/support/spark.ts";
import { type Figure, figure } from "./figure.ts";
import { StreamWorld } from "./stream/world.ts";

/**
 * `--count N` events (default 300,000: about seven minutes on two quiet cores), `--lake local|hdfs`, `--rate R` events a second for the
 * latency (default 2,000, for a minute), `--kills`.
 */
export async function* benchStream(args: readonly string[]): AsyncGenerator<Figure> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      count: { type: "string", default: "300000" },
      rate: { type: "string", default: "2000" },
      lake: { type: "string", default: "local" },
      kills: { type: "boolean", default: false },
    },
  });
  const lake = values.lake === "hdfs" ? "hdfs" : "local";
  const world = await StreamWorld.start(lake);
  try {
    if (values.kills) yield* kills(world, lake, Number(values.count));
    else yield* rates(world, Number(values.count), Number(values.rate));
  } finally {
    await world.stop();
  }
}

async function* rates(world: StreamWorld, count: number, rate: number): AsyncGenerator<Figure> {
  yield figure("send", "messages/s", [await world.send(count)]);
  yield figure("limit: consume with our client", "messages/s", [await world.consume()]);
  yield figure("limit: consume with Spark, rows thrown away", "messages/s", [await rawRead(world)]);
  await world.resume();
  await world.untilRead();
  const backlog = await world.entries();
  const [first] = backlog;
  const work = backlog.reduce((sum, { began, committed }) => sum + committed - began, 0);
  yield figure("Kafka to lake, backlog", "records/s", [
    count / ((backlog.at(-1)?.committed ?? 0) - (first?.began ?? 0)),
  ]);
  yield figure("Kafka to lake, while a batch is at work", "records/s", [count / work]);
  await world.send(count + LATENCY_SECONDS * rate, rate);
  await world.untilRead();
  const since = backlog.length;
  const live = (await world.entries()).slice(since);
  const [[p50, p95] = []] = await world.query(
    `select percentile(c.committed - unix_millis(e.kafka_time) / 1000, 0.5), percentile(c.committed - unix_millis(e.kafka_time) / 1000, 0.95)
       from standardized.app_events e join (values ${live.map((one) => `(${one.generation}, ${one.batch}, ${one.committed}D)`).join(", ")})
         c (generation, batch, committed) on c.generation = e.generation and c.batch = e.batch`,
  );
  yield figure(`sent to readable at ${rate} events/s: p50`, "s", [Number(p50)]);
  yield figure(`sent to readable at ${rate} events/s: p95`, "s", [Number(p95)]);
  yield* sizes("before compaction", await world.files());
  await world.pause();
  await world.run("lake_compaction", { quietMinutes: 0, graceMinutes: 0, minFiles: 2 });
  yield* sizes("after compaction", await world.files());
  await compare(world);
}

const LATENCY_SECONDS = 60;

function* sizes(when: string, { files, bytes }: { files: number; bytes: number }): Generator<Figure> {
  yield figure(`files ${when}`, "count", [files]);
  yield figure(`average file ${when}`, "KiB", [bytes / files / 1024]);
}

async function rawRead(world: StreamWorld): Promise<number> {
  const { config, servers, topic } = world;
  const spark = await WarmSpark.start({ "spark.driver.extraClassPath": jarSetFiles(config, "sparkKafka").join(":") });
  try {
    const script = join(import.meta.dirname, "stream/raw_read.py");
    return (await spark.script<{ rate: number }>(script, { servers, topic })).rate;
  } finally {
    await spark.stop();
  }
}

async function* kills(world: StreamWorld, lake: "local" | "hdfs", count: number): AsyncGenerator<Figure> {
  const victims: (EngineName | "driver")[] = [
    "driver",
    "kafka",
    ...(lake === "hdfs" ? (["namenode", "datanode"] as const) : []),
  ];
  await world.resume();
  const started = performance.now();
  const sending = world.send(count);
  let killed = 0;
  await world.untilRead(async (read) => {
    // Each twice, spread over the whole way.
    if (killed === victims.length * 2 || read < (count * (killed + 1)) / (victims.length * 2 + 1)) return;
    await sleep(Math.random() * 5_000);
    await world.kill(victims[killed % victims.length] ?? "driver");
    killed++;
  });
  await sending;
  await world.untilRead();
  yield figure(`kill -9 of ${victims.join(", ")}`, "kills", [killed]);
  yield figure("with kills, to the last event", "records/s", [count / ((performance.now() - started) / 1000)]);
  yield figure("messages sent", "count", [await world.sent()]);
  yield figure("rows landed", "count", [(await compare(world)).rows]);
}

/** What Hive says and what lies in the folders, both against what was sent. Throws where they differ. */
async function compare(world: StreamWorld): Promise<{ rows: number }> {
  const sent = await world.sent();
  const [hive, listed] = [await world.landed(), await world.listed()];
  for (const { rows, places } of [hive, listed]) {
    if (rows === sent && places === sent) continue;
    throw new Error(`sent ${sent}; Hive: ${JSON.stringify(hive)}; listed: ${JSON.stringify(listed)}`);
  }
  return hive;
}
