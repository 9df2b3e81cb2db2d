/** How each engine is made, asked after and addressed. */
import { join } from "node:path";
import type { Config } from "../config.ts";
import type { OnStarted } from "./engine.ts";
import { databaseServer, feedFolder } from "./environment.ts";
import { FTP_USER, ftpAnswers, startFtpServer } from "./ftp-server.ts";
import { type HdfsOptions, type HdfsPorts, startDatanode, startNamenode } from "./hdfs.ts";
import { hdfsAnswers, namenodeAnswers } from "./hdfs-health.ts";
import { hiveAnswers } from "./hive-health.ts";
import { startHiveServer } from "./hive-server.ts";
import { type EngineName, type HomeState, portOf, portsFor } from "./home.ts";
import type { Installation } from "./install.ts";
import { jarSetFiles } from "./jar-sets.ts";
import type { JavaSite } from "./java.ts";
import { startKafka } from "./kafka.ts";
import { kafkaAnswers } from "./kafka-health.ts";
import type { JarSetName } from "./lockfile.ts";
import { answers, POSTGRES_USER, startPostgres } from "./postgres.ts";
import { sparkConfDir } from "./spark-conf.ts";
import { startNodemanager, startResourcemanager, type YarnOptions, yarnFolder, yarnPorts } from "./yarn.ts";
import { resourcemanagerAnswers, yarnAnswers } from "./yarn-health.ts";

/** What an engine is started with. */
export interface LaunchContext {
  readonly config: Config;
  readonly state: HomeState;
  /** Throws INTERNAL for an engine that is started before anything is installed. */
  installation(): Installation;
  readonly logFile: string;
  readonly onStarted: OnStarted;
}

/** What is known of one engine. */
export interface Blueprint {
  /** Jars that are installed for it. */
  readonly jarSets: readonly JarSetName[];
  /** Starts it; resolves when it is ready. */
  launch(context: LaunchContext): Promise<unknown>;
  /** Whether it answers a request of its protocol. Never rejects. */
  health(state: HomeState): Promise<boolean>;
  /** Ready to be given to a client, without a password. */
  address(config: Config, state: HomeState): string;
}

const postgres: Blueprint = {
  jarSets: [],
  launch: ({ config, state, ...context }) =>
    startPostgres({
      ...processOptions(config, state, context),
      cacheDir: config.cacheDir,
      dataDir: join(config.home, "pg"),
      ...databaseServer(state),
    }),
  health: (state) => answers(databaseServer(state)),
  address: (_config, state) => `postgres://${POSTGRES_USER}@127.0.0.1:${portOf(state, "postgres")}/qflow`,
};

const hive: Blueprint = {
  jarSets: [],
  launch: ({ config, state, ...context }) =>
    startHiveServer({
      ...processOptions(config, state, context),
      installation: context.installation(),
      confDir: sparkConfDir(config.home),
      port: portOf(state, "hive"),
    }),
  health: (state) => hiveAnswers(portOf(state, "hive")),
  address: (_config, state) => `jdbc:hive2://127.0.0.1:${portOf(state, "hive")}/default`,
};

const ftp: Blueprint = {
  jarSets: [],
  launch: ({ config, state, ...context }) =>
    startFtpServer({
      ...processOptions(config, state, context),
      python: context.installation().python,
      port: portOf(state, "ftp"),
      password: state.passwords.ftp,
      runDir: join(config.home, "run"),
      root: feedFolder(config),
    }),
  health: (state) => ftpAnswers(portOf(state, "ftp"), state.passwords.ftp),
  address: (config, state) => `ftp://${FTP_USER}@127.0.0.1:${portOf(state, "ftp")}/ (${feedFolder(config)})`,
};

const kafka: Blueprint = {
  jarSets: ["kafka", "sparkKafka"],
  launch: ({ config, state, ...context }) =>
    startKafka(
      {
        folder: join(config.home, "kafka"),
        port: portOf(state, "kafka"),
        controllerPort: portOf(state, "kafkaController"),
        jars: jarSetFiles(config, "kafka"),
      },
      javaSite(config, state, context),
    ),
  health: (state) => kafkaAnswers(portOf(state, "kafka")),
  address: (_config, state) => `kafka://127.0.0.1:${portOf(state, "kafka")}`,
};

const namenode: Blueprint = {
  jarSets: ["hadoop"],
  launch: ({ config, state, ...context }) =>
    startNamenode(hdfsOptions(config, state, context.installation()), javaSite(config, state, context)),
  health: (state) => namenodeAnswers(portOf(state, "namenodeHttp")),
  address: (_config, state) =>
    `hdfs://127.0.0.1:${portOf(state, "namenode")} (http://127.0.0.1:${portOf(state, "namenodeHttp")})`,
};

const datanode: Blueprint = {
  jarSets: ["hadoop"],
  launch: ({ config, state, ...context }) =>
    startDatanode(hdfsOptions(config, state, context.installation()), javaSite(config, state, context)),
  health: (state) => hdfsAnswers(hdfsPorts(state)),
  address: (_config, state) => `http://127.0.0.1:${portOf(state, "datanodeHttp")}`,
};

function hdfsOptions(config: Config, state: HomeState, { sparkHome }: Installation): HdfsOptions {
  const jars = jarSetFiles(config, "hadoop");
  return { folder: join(config.home, "hdfs"), sparkHome, jars, ports: hdfsPorts(state) };
}

const HDFS_PORTS = ["namenode", "namenodeHttp", "datanode", "datanodeHttp", "datanodeIpc"] as const;

function hdfsPorts(state: HomeState): HdfsPorts {
  return portsFor(state, HDFS_PORTS);
}

const resourcemanager: Blueprint = {
  jarSets: ["hadoop", "yarn"],
  launch: ({ config, state, ...context }) =>
    startResourcemanager(yarnOptions(config, state, context.installation()), javaSite(config, state, context)),
  health: (state) => resourcemanagerAnswers(portOf(state, "resourcemanagerHttp")),
  address: (_config, state) => `http://127.0.0.1:${portOf(state, "resourcemanagerHttp")}`,
};

const nodemanager: Blueprint = {
  jarSets: ["hadoop", "yarn"],
  launch: ({ config, state, ...context }) =>
    startNodemanager(yarnOptions(config, state, context.installation()), javaSite(config, state, context)),
  health: (state) => yarnAnswers(yarnPorts(state)),
  address: (_config, state) => `http://127.0.0.1:${portOf(state, "nodemanagerHttp")}`,
};

function yarnOptions(config: Config, state: HomeState, { sparkHome }: Installation): YarnOptions {
  const jars = [...jarSetFiles(config, "hadoop"), ...jarSetFiles(config, "yarn")];
  return { folder: yarnFolder(config.home), sparkHome, jars, ports: yarnPorts(state) };
}

/** All engines. */
export const BLUEPRINTS: Readonly<Record<EngineName, Blueprint>> = {
  postgres,
  kafka,
  namenode,
  datanode,
  resourcemanager,
  nodemanager,
  hive,
  ftp,
};

/** What the process of every engine gets. */
function processOptions(
  { environment }: Config,
  { id }: HomeState,
  { logFile, onStarted }: Pick<LaunchContext, "logFile" | "onStarted">,
) {
  return { logFile, onStarted, instance: id, environment };
}

function javaSite(config: Config, state: HomeState, context: Omit<LaunchContext, "config" | "state">): JavaSite {
  return { ...processOptions(config, state, context), javaHome: context.installation().javaHome };
}
