/** YARN as one ResourceManager and one NodeManager. */
import { mkdir } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { hadoopClassPath, writeHadoopConf } from "./hadoop.ts";
import { type EnginesState, portsFor } from "./home.ts";
import { type JavaSite, startJava } from "./java.ts";
import { type EngineProcess, endMarked } from "./process.ts";
import { resourcemanagerAnswers, yarnAnswers } from "./yarn-health.ts";

/** How YARN is laid out. */
export interface YarnOptions {
  /** Holds configuration, state, and what containers write. */
  readonly folder: string;
  readonly sparkHome: string;
  readonly jars: readonly string[];
  readonly ports: YarnPorts;
}

const PORTS = [
  "resourcemanager",
  "resourcemanagerHttp",
  "resourcemanagerScheduler",
  "resourcemanagerTracker",
  "resourcemanagerAdmin",
  "nodemanager",
  "nodemanagerHttp",
  "nodemanagerLocalizer",
] as const;

/** Ports of 127.0.0.1. */
export type YarnPorts = Readonly<Record<(typeof PORTS)[number], number>>;

/** The ports that a home has chosen for its YARN. Throws INTERNAL when it has none. */
export function yarnPorts(state: EnginesState): YarnPorts {
  return portsFor(state, PORTS);
}

/** Where a home keeps what YARN writes. */
export function yarnFolder(home: string): string {
  return join(home, "yarn");
}

const HEAP_MB = 384;
const STOP_PATIENCE_MS = 10_000;
/** Hadoop looks into classes of Java that are closed by default. */
const OPTIONS = ["--add-opens", "java.base/java.lang=ALL-UNNAMED"];
/** By this variable the containers of a node are found when it has been killed. */
const NODE_MARKER = "QFLOW_YARN_NODE";
const MIB = 1024 ** 2;
const MOST_MEMORY_MB = 8_192;

/** Starts the ResourceManager; resolves when it takes applications. Those of an earlier life are still known. Throws PORT_TAKEN or ENGINE_FAILED. */
export async function startResourcemanager(options: YarnOptions, site: JavaSite): Promise<EngineProcess> {
  const { ports, folder } = options;
  await writeHadoopConf(yarnClientConf(folder), {
    "core-site": coreSite(folder),
    "yarn-site": {
      ...clusterAddresses(ports),
      "yarn.resourcemanager.address": at(ports.resourcemanager),
      "yarn.nodemanager.log-dirs": containerLogs(folder),
    },
  });
  return startJava(
    {
      title: "the ResourceManager",
      mainClass: "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager",
      classPath: await prepare(options, "resourcemanager"),
      heapMb: HEAP_MB,
      options: OPTIONS,
      cwd: folder,
      ports: [
        ...[ports.resourcemanager, ports.resourcemanagerHttp, ports.resourcemanagerScheduler],
        ...[ports.resourcemanagerTracker, ports.resourcemanagerAdmin],
      ],
      stopPatienceMs: STOP_PATIENCE_MS,
      ready: () => resourcemanagerAnswers(ports.resourcemanagerHttp),
    },
    site,
  );
}

/**
 * Starts the NodeManager, after ending the containers that a killed one left; resolves when containers can be run, for which the
 * ResourceManager must run. Throws PORT_TAKEN or ENGINE_FAILED.
 */
export async function startNodemanager(options: YarnOptions, site: JavaSite): Promise<EngineProcess> {
  const { ports, folder } = options;
  await endMarked(NODE_MARKER, site.instance);
  return startJava(
    {
      title: "the NodeManager",
      mainClass: "org.apache.hadoop.yarn.server.nodemanager.NodeManager",
      classPath: await prepare(options, "nodemanager"),
      heapMb: HEAP_MB,
      options: OPTIONS,
      cwd: folder,
      ports: [ports.nodemanager, ports.nodemanagerHttp, ports.nodemanagerLocalizer],
      stopPatienceMs: STOP_PATIENCE_MS,
      ready: () => yarnAnswers(ports),
    },
    { ...site, environment: { ...site.environment, JAVA_HOME: site.javaHome, [NODE_MARKER]: site.instance } },
  );
}

/** Folder of the configuration that clients of this YARN are given (HADOOP_CONF_DIR). */
export function yarnClientConf(folder: string): string {
  return join(folder, "client-conf");
}

/** Settings that make Spark find everything where it is already: nothing is uploaded to run an application. */
export function sparkOnYarnSettings(folder: string, sparkHome: string, python: string): Record<string, string> {
  const environment = { PYSPARK_PYTHON: python, SPARK_LOCAL_IP: "127.0.0.1", TZ: "UTC" };
  return {
    "spark.yarn.jars": `local:${join(sparkHome, "jars")}/*`,
    "spark.yarn.stagingDir": pathToFileURL(join(folder, "staging")).href,
    ...Object.fromEntries(
      Object.entries(environment).flatMap(([name, value]) => [
        [`spark.yarn.appMasterEnv.${name}`, value],
        [`spark.executorEnv.${name}`, value],
      ]),
    ),
  };
}

/** Each has a configuration folder of its own, for both are started at the same time. Returns the class path. */
async function prepare(options: YarnOptions, part: "resourcemanager" | "nodemanager"): Promise<string[]> {
  const { folder, ports, sparkHome, jars } = options;
  const conf = join(folder, `${part}-conf`);
  await mkdir(join(folder, "staging"), { recursive: true });
  await writeHadoopConf(conf, {
    "core-site": coreSite(folder),
    "yarn-site": yarnSite(folder, ports),
    "capacity-scheduler": CAPACITY,
  });
  return hadoopClassPath(conf, sparkHome, jars);
}

function coreSite(folder: string): Record<string, string> {
  return { "fs.defaultFS": "file:///", "hadoop.tmp.dir": join(folder, "tmp") };
}

/** One queue, in which applications' masters may take all there is. */
const CAPACITY = {
  "yarn.scheduler.capacity.root.queues": "default",
  "yarn.scheduler.capacity.root.default.capacity": "100",
  "yarn.scheduler.capacity.maximum-am-resource-percent": "1.0",
  "yarn.scheduler.capacity.resource-calculator": "org.apache.hadoop.yarn.util.resource.DefaultResourceCalculator",
};

function clusterAddresses(ports: YarnPorts): Record<string, string> {
  return {
    "yarn.resourcemanager.hostname": "127.0.0.1",
    "yarn.resourcemanager.scheduler.address": at(ports.resourcemanagerScheduler),
    "yarn.resourcemanager.resource-tracker.address": at(ports.resourcemanagerTracker),
    "yarn.resourcemanager.admin.address": at(ports.resourcemanagerAdmin),
    "yarn.resourcemanager.webapp.address": at(ports.resourcemanagerHttp),
  };
}

/** Settings of the ResourceManager and the NodeManager. */
export function yarnSite(folder: string, ports: YarnPorts): Record<string, string> {
  const store = "org.apache.hadoop.yarn.server.resourcemanager.recovery.FileSystemRMStateStore";
  return {
    ...clusterAddresses(ports),
    "yarn.resourcemanager.address": at(ports.resourcemanager),
    "yarn.resourcemanager.bind-host": "127.0.0.1",
    "yarn.resourcemanager.recovery.enabled": "true",
    "yarn.resourcemanager.store.class": store,
    "yarn.resourcemanager.fs.state-store.uri": pathToFileURL(join(folder, "state")).href,
    "yarn.nodemanager.hostname": "127.0.0.1",
    "yarn.nodemanager.bind-host": "127.0.0.1",
    "yarn.nodemanager.address": at(ports.nodemanager),
    "yarn.nodemanager.localizer.address": at(ports.nodemanagerLocalizer),
    "yarn.nodemanager.webapp.address": at(ports.nodemanagerHttp),
    "yarn.nodemanager.local-dirs": join(folder, "local"),
    "yarn.nodemanager.log-dirs": containerLogs(folder),
    // A node that comes back is heard of within a second.
    "yarn.resourcemanager.connect.retry-interval.ms": "1000",
    "yarn.nodemanager.resource.memory-mb": String(Math.min(MOST_MEMORY_MB, Math.floor(totalmem() / MIB / 2))),
    "yarn.nodemanager.resource.cpu-vcores": "8",
    "yarn.scheduler.minimum-allocation-mb": "128",
    // Java reserves far more addresses than it uses.
    "yarn.nodemanager.vmem-check-enabled": "false",
    // The default of 90 % stops everything on a disk that is merely well filled.
    "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": "99.5",
    "yarn.nodemanager.env-whitelist": `JAVA_HOME,PATH,LANG,TZ,QFLOW_INSTANCE,${NODE_MARKER}`,
  };
}

function at(port: number): string {
  return `127.0.0.1:${port}`;
}

function containerLogs(folder: string): string {
  return join(folder, "container-logs");
}
