/** What the processes around the engines are told about them, as environment variables. */
import { userInfo } from "node:os";
import { join } from "node:path";
import type { Config } from "../config.ts";
import { QflowError } from "../errors.ts";
import { INSTANCE_MARKER } from "../processes/markers.ts";
import { FTP_USER } from "./ftp-server.ts";
import { type HomeState, portOf } from "./home.ts";
import type { Installation } from "./install.ts";
import { postgresUrl } from "./postgres.ts";
import { sparkConfDir } from "./spark-conf.ts";
import { yarnClientConf, yarnFolder } from "./yarn.ts";

/** Database of qflow itself in the embedded PostgreSQL. */
export const QFLOW_DATABASE = "qflow";

const DEFAULT_NAMENODE_PORT = 8020;

/**
 * Environment variables for schedulers, workers and the API. They hold passwords: hand them to child processes, never print them.
 * Without an installation nothing of Spark is told. What the user has set (a database, a connection) is left as it is.
 */
export function engineEnvironment(
  config: Config,
  state: HomeState,
  installation: Installation | null,
): Record<string, string> {
  const env: Record<string, string> = {
    [INSTANCE_MARKER]: state.id,
    QFLOW_HOME: config.home,
    QFLOW_DATABASE_URL: config.databaseUrl ?? postgresUrl(databaseServer(state), QFLOW_DATABASE),
  };
  // An address without a host is that of the connection: whoever reads the setting shall not have to look it up.
  if (config.lakeDir.startsWith("hdfs://")) env.QFLOW_LAKE = lakeOf(config, state);
  const ftp = `ftp://${FTP_USER}:${encodeURIComponent(state.passwords.ftp)}@127.0.0.1:${state.ports.ftp.port}/`;
  if (!config.connections.ftp_q) env.QFLOW_CONN_FTP_Q = ftp;
  if (!config.connections.hive_default) {
    env.QFLOW_CONN_HIVE_DEFAULT = `hive2://127.0.0.1:${state.ports.hive.port}/default`;
  }
  if (!config.connections.kafka_default && state.ports.kafka) {
    env.QFLOW_CONN_KAFKA_DEFAULT = `kafka://127.0.0.1:${state.ports.kafka.port}`;
  }
  if (!config.connections.hdfs_default && state.ports.namenode) {
    const user = encodeURIComponent(userInfo().username);
    const { port } = state.ports.namenode;
    env.QFLOW_CONN_HDFS_DEFAULT = `hdfs://${user}@127.0.0.1:${port}/?http=${portOf(state, "namenodeHttp")}`;
  }
  if (!config.connections.yarn_default && state.ports.resourcemanager) {
    env.QFLOW_CONN_YARN_DEFAULT = `http://127.0.0.1:${portOf(state, "resourcemanagerHttp")}/`;
    env.QFLOW_HADOOP_CONF_DIR = yarnClientConf(yarnFolder(config.home));
  }
  if (installation === null) return env;
  return {
    ...env,
    QFLOW_SPARK_HOME: installation.sparkHome,
    QFLOW_SPARK_PYTHON: installation.python,
    QFLOW_SPARK_CONF_DIR: sparkConfDir(config.home),
    JAVA_HOME: installation.javaHome,
  };
}

/**
 * The lake; on HDFS with the host and port of the cluster, also where the setting leaves them out. Throws CONFIG_INVALID where there is no
 * cluster yet whose address it could have.
 */
export function lakeOf({ lakeDir, connections }: Pick<Config, "lakeDir" | "connections">, state: HomeState): string {
  const [, folder] = /^hdfs:\/\/(\/.*)$/.exec(lakeDir) ?? [];
  if (folder === undefined) return lakeDir;
  const own = connections.hdfs_default;
  if (!own && !state.ports.namenode) {
    throw new QflowError("CONFIG_INVALID", `the lake is ${lakeDir}, and no HDFS has run in this QFLOW_HOME`, {
      remedy:
        "Stop what runs and start it again: HDFS comes with it. Or name a cluster of your own with QFLOW_CONN_HDFS_DEFAULT.",
    });
  }
  const authority = own ? `${own.host}:${own.port || DEFAULT_NAMENODE_PORT}` : `127.0.0.1:${portOf(state, "namenode")}`;
  return `hdfs://${authority}${folder}`;
}

/** Port and superuser password of a home's PostgreSQL. */
export function databaseServer(state: HomeState): { port: number; password: string } {
  return { port: state.ports.postgres.port, password: state.passwords.postgres };
}

/** The folder that the FTP server serves. */
export function feedFolder(config: Config): string {
  return config.feedDir ?? join(config.home, "feed");
}
