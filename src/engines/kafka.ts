/** Kafka as one node that is broker and controller. */
import { randomBytes } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { lastLines, runCommand } from "./command.ts";
import { engineFailed } from "./engine.ts";
import { exists, writePrivate } from "./files.ts";
import { type JavaSite, startJava } from "./java.ts";
import { kafkaAnswers } from "./kafka-health.ts";
import type { EngineProcess } from "./process.ts";

/** How the broker is laid out. */
export interface KafkaOptions {
  /** Holds configuration and data. */
  readonly folder: string;
  readonly port: number;
  readonly controllerPort: number;
  readonly jars: readonly string[];
}

const HEAP_MB = 512;
const STOP_PATIENCE_MS = 20_000;

/** Starts the broker, after formatting its folder where that was never done; resolves when topics answer. Throws PORT_TAKEN or ENGINE_FAILED. */
export async function startKafka(options: KafkaOptions, site: JavaSite): Promise<EngineProcess> {
  const { folder, port, controllerPort, jars } = options;
  await mkdir(folder, { recursive: true });
  await writePrivate(join(folder, "log4j2.properties"), LOG4J2);
  await writePrivate(join(folder, "server.properties"), kafkaProperties(options, join(folder, "data")));
  await format(options, site);
  return startJava(
    {
      title: "Kafka",
      mainClass: "kafka.Kafka",
      classPath: jars,
      heapMb: HEAP_MB,
      options: [`-Dlog4j2.configurationFile=${join(folder, "log4j2.properties")}`],
      args: [join(folder, "server.properties")],
      cwd: folder,
      ports: [port, controllerPort],
      stopPatienceMs: STOP_PATIENCE_MS,
      ready: () => kafkaAnswers(port),
    },
    site,
  );
}

/** Done in a folder beside it that takes its place when complete: a kill in between leaves nothing that looks formatted. */
async function format(options: KafkaOptions, site: JavaSite): Promise<void> {
  const { folder, jars } = options;
  const data = join(folder, "data");
  if (await exists(join(data, "meta.properties"))) return;
  const draft = join(folder, "data.new");
  const properties = join(folder, "format.properties");
  await rm(draft, { recursive: true, force: true });
  await writePrivate(properties, kafkaProperties(options, draft));
  const { code, output } = await runCommand(
    join(site.javaHome, "bin/java"),
    [
      ...[`-Dlog4j2.configurationFile=${join(folder, "log4j2.properties")}`, "-cp", jars.join(":")],
      ...["kafka.tools.StorageTool", "format", "-t", clusterId(), "-c", properties],
    ],
    { env: site.environment, cwd: folder },
  );
  if (code !== 0) throw engineFailed(`Kafka's folder could not be formatted: ${lastLines(output, 2)}`, site.logFile);
  await rename(draft, data);
  await rm(properties);
}

/** A random UUID as Kafka writes it. Its command line takes what begins with a dash for an option. */
function clusterId(): string {
  const id = randomBytes(16).toString("base64url");
  return id.startsWith("-") ? clusterId() : id;
}

/** The broker's settings, as the text of a properties file. */
export function kafkaProperties({ port, controllerPort }: KafkaOptions, dataFolder: string): string {
  const settings: Record<string, string | number> = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": dataFolder,
    // A topic that nobody made is somebody's typing error.
    "auto.create.topics.enable": "false",
    // There is one broker to hold them.
    "default.replication.factor": 1,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    // Fifty partitions each are for large clusters; here they only cost files and the time to open them.
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.num.partitions": 4,
    "group.initial.rebalance.delay.ms": 0,
    "message.max.bytes": 4 * 1024 * 1024,
    // Taken from the heap at the start, whether it is needed or not.
    "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${String(value).replaceAll("\\", "\\\\")}\n`);
  return lines.join("");
}

/** The values of all settings are written at INFO at every start; what is said of the broker's life is worth reading. */
const LOG4J2 = `rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server
logger.server.level = info
logger.settings.name = kafka.server.KafkaConfig
logger.settings.level = warn
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
`;
