/** A platform with Kafka and the sink as a service, for measuring it and for killing what it is made of. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../../src/config.ts";
import type { EngineName } from "../../src/engines/index.ts";
import { engineStatus } from "../../src/engines/index.ts";
import { sendEvents } from "../../src/feed/index.ts";
import { type Kafka, openKafka } from "../../src/kafka/index.ts";
import { type FileStore, openStore } from "../../src/lake/index.ts";
import { createRun, unpauseDag } from "../../src/metadata/runs.ts";
import { pauseService, resumeService } from "../../src/metadata/services/actions.ts";
import { getService, type ServiceRow } from "../../src/metadata/views/service-views.ts";
import { PlatformFolder, type RunningPlatform, startTestPlatform } from "../../test/support/platform.ts";

const SERVICE = "app_events";
const TOPIC = "app-events";
const LEDGER = `checkpoints/${SERVICE}/ledger`;
const LIMITS = { timeoutMs: 600_000, maxRows: 100_000 };
const KAFKA = { clientId: "qflow-bench", tls: "off", login: null } as const;
/** One event every 90 ms: a million of them are 25 hours. */
const FEED = { seed: 5, start: new Date("2026-01-01T00:00:00Z"), spacingMs: 90 };

/** What a lake holds of the stream. */
export interface Landed {
  readonly rows: number;
  /** Distinct topic, partition and offset. */
  readonly places: number;
}

/** What the sink's ledger says of a batch; times in seconds since 1970. */
export interface LedgerEntry {
  readonly generation: number;
  readonly batch: number;
  readonly read: number;
  readonly began: number;
  readonly committed: number;
}

/** The platform. */
export class StreamWorld {
  readonly #folder: PlatformFolder;
  readonly #platform: RunningPlatform;
  readonly kafka: Kafka;
  readonly #store: FileStore;
  readonly #entries = new Map<string, LedgerEntry>();

  private constructor(folder: PlatformFolder, platform: RunningPlatform, kafka: Kafka) {
    this.#folder = folder;
    this.#platform = platform;
    this.kafka = kafka;
    const { config } = platform;
    this.#store = openStore(config.lakeDir, { connection: (id) => config.connections[id] as never });
  }

  /** Starts it with an empty topic; `lake` = on a local folder or on HDFS. The sink does not run yet. */
  static async start(lake: "local" | "hdfs"): Promise<StreamWorld> {
    const folder = await PlatformFolder.create(lake === "hdfs" ? { QFLOW_LAKE: "hdfs:///lake" } : {});
    const platform = await startTestPlatform(folder, ["up", "--with", lake === "hdfs" ? "stream" : "kafka"]);
    const kafka = openKafka({ ...KAFKA, brokers: [`127.0.0.1:${platform.config.connections.kafka_default?.port}`] });
    const world = new StreamWorld(folder, platform, kafka);
    await kafka.createTopic(TOPIC, { partitions: 3 });
    await unpauseDag(platform.database, "qcompany_stream_tables");
    await world.#untilRun("qcompany_stream_tables");
    return world;
  }

  /** Settings with the addresses of the engines. */
  get config(): Config {
    return this.#platform.config;
  }

  /** Address of the broker. */
  get servers(): string {
    return `127.0.0.1:${this.config.connections.kafka_default?.port}`;
  }

  readonly topic = TOPIC;

  /** Starts the sink. */
  resume(): Promise<void> {
    return resumeService(this.#platform.database, SERVICE);
  }

  /** Ends the sink after the batch in hand. */
  pause(): Promise<void> {
    return pauseService(this.#platform.database, SERVICE);
  }

  /** The sink as it is now. */
  sink(): Promise<ServiceRow> {
    return getService(this.#platform.database, SERVICE);
  }

  /** Sends events until the topic holds `count` of them. Resolves to messages a second. */
  async send(count: number, perSecond: number | null = null): Promise<number> {
    const started = performance.now();
    const signal = AbortSignal.timeout(3_600_000);
    const kafka = this.kafka;
    const { sent } = await sendEvents({
      ...{ kafka, topic: TOPIC, partitions: 3, feed: FEED, count, perSecond, patienceMs: 300_000, signal },
    });
    return sent / ((performance.now() - started) / 1000);
  }

  /** Reads the whole topic. Resolves to messages a second. */
  async consume(): Promise<number> {
    const started = performance.now();
    const topic = await this.kafka.topic(TOPIC);
    let messages = 0;
    for (const { partition, earliest, latest } of await this.kafka.spans(topic)) {
      for (let next = earliest; next < latest; ) {
        const [portion] = await this.kafka.read(topic, new Map([[partition, next]]), { maxBytes: 8e6, waitMs: 100 });
        messages += portion?.messages.length ?? 0;
        next = portion?.next ?? latest;
      }
    }
    return messages / ((performance.now() - started) / 1000);
  }

  /** Messages that the topic holds. */
  async sent(): Promise<number> {
    const spans = await this.kafka.spans(await this.kafka.topic(TOPIC));
    return spans.reduce((sum, { earliest, latest }) => sum + latest - earliest, 0);
  }

  /** Rows of a query through HiveServer2, cells as text. */
  query(sql: string): Promise<string[][]> {
    return this.#platform.hive(async (hive) => {
      const { rows } = await hive.query(sql, LIMITS);
      return rows.map((row) => row.map((cell) => String(cell)));
    });
  }

  /** What tables hold of events and dead letters, as Hive says. */
  landed(): Promise<Landed> {
    return this.#count("standardized.app_events", "standardized.dead_letters");
  }

  /** The same from a listing of the folders: every file in them, whatever a metastore knows. */
  async listed(): Promise<Landed> {
    const folders = ["app_events", "dead_letters"].map(
      (name) => `parquet.\`${this.#lake}/warehouse/standardized.db/${name}\``,
    );
    return this.#count(folders[0] ?? "", folders[1] ?? "");
  }

  /** Files of the table of events that readers see. */
  async files(): Promise<{ files: number; bytes: number }> {
    const [[files, bytes] = []] = await this.query(
      `select count(*), sum(length) from (select path, max(until) as length from (
         select input_file_name() as path, input_file_block_start() + input_file_block_length() as until
         from standardized.app_events) group by path)`,
    );
    return { files: Number(files), bytes: Number(bytes) };
  }

  /** The batches that the sink has committed, in their order. Read from the lake itself: a query for it would take the cores from the sink. */
  async entries(): Promise<LedgerEntry[]> {
    const names = (await this.#store.list(LEDGER).catch(() => [])).map(({ name }) => name).sort();
    for (const name of names.filter((one) => !this.#entries.has(one))) {
      const parts: Uint8Array[] = [];
      for await (const part of this.#store.read(`${LEDGER}/${name}`)) parts.push(part);
      this.#entries.set(name, JSON.parse(Buffer.concat(parts).toString("utf8")) as LedgerEntry);
    }
    return names.flatMap((name) => this.#entries.get(name) ?? []);
  }

  /** kill -9 of an engine, or of the sink's driver; whoever supervises it starts it again. */
  async kill(name: EngineName | "driver"): Promise<void> {
    const pid = name === "driver" ? (await this.sink()).pid : await this.#engine(name);
    if (pid) process.kill(pid, "SIGKILL");
  }

  /** Waits until everything that the topic holds is in the lake's ledger. Rejects when nothing moves for ten minutes. */
  async untilRead(onProgress: (read: number) => Promise<void> = async () => {}): Promise<void> {
    for (let last = -1, moved = Date.now(); ; await sleep(2_000)) {
      const read = await this.#read().catch(() => last);
      const sent = await this.sent().catch(() => Number.POSITIVE_INFINITY);
      if (read === sent) return;
      if (read > last) moved = Date.now();
      if (Date.now() - moved > 600_000) throw new Error(`the sink stands still at ${read} of ${sent}`);
      last = read;
      await onProgress(read);
    }
  }

  /** Runs a DAG once, waits for its end. */
  async run(dagId: string, conf: Record<string, number> = {}): Promise<void> {
    await unpauseDag(this.#platform.database, dagId);
    await createRun(this.#platform.database, { dagId, by: "bench", conf });
    await this.#untilRun(dagId);
  }

  async stop(): Promise<void> {
    await this.kafka.close();
    await this.#platform.stop();
    await this.#folder.remove();
  }

  get #lake(): string {
    return this.#platform.config.lakeDir;
  }

  async #read(): Promise<number> {
    return (await this.entries()).reduce((sum, { read }) => sum + read, 0);
  }

  async #count(events: string, dead: string): Promise<Landed> {
    const places = "select topic, generation, partition, offset from";
    const [[rows, distinct] = []] = await this.query(
      `select count(*), count(distinct topic, generation, partition, offset) from (${places} ${events} union all ${places} ${dead})`,
    );
    return { rows: Number(rows), places: Number(distinct) };
  }

  async #engine(name: EngineName): Promise<number | null> {
    return (await engineStatus(this.#folder.config)).engines.find((engine) => engine.name === name)?.pid ?? null;
  }

  async #untilRun(dagId: string): Promise<void> {
    for (let waited = 0; waited < 600; waited++) {
      const { rows } = await this.#platform.database.query<{ state: string }>(
        "select state from dag_run where dag_id = $1 order by id desc limit 1",
        [dagId],
      );
      if (rows[0]?.state === "success") return;
      if (rows[0]?.state === "failed") throw new Error(`${dagId} failed`);
      await sleep(1_000);
    }
    throw new Error(`${dagId} did not end`);
  }
}
