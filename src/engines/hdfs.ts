/** HDFS as one NameNode and one DataNode. */
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { lastLines, runCommand } from "./command.ts";
import { engineFailed } from "./engine.ts";
import { exists } from "./files.ts";
import { hadoopClassPath, writeHadoopConf } from "./hadoop.ts";
import { hdfsAnswers, namenodeAnswers } from "./hdfs-health.ts";
import { type JavaSite, startJava } from "./java.ts";
import type { EngineProcess } from "./process.ts";

/** How HDFS is laid out. */
export interface HdfsOptions {
  /** Holds configuration, namespace and blocks. */
  readonly folder: string;
  readonly sparkHome: string;
  readonly jars: readonly string[];
  readonly ports: HdfsPorts;
}

/** Ports of 127.0.0.1. */
export interface HdfsPorts {
  /** Where clients of Hadoop's protocol connect. */
  readonly namenode: number;
  /** WebHDFS. */
  readonly namenodeHttp: number;
  readonly datanode: number;
  readonly datanodeHttp: number;
  readonly datanodeIpc: number;
}

const HEAP_MB = 256;
const STOP_PATIENCE_MS = 10_000;
const NAMENODE = "org.apache.hadoop.hdfs.server.namenode.NameNode";
const DATANODE = "org.apache.hadoop.hdfs.server.datanode.DataNode";

/**
 * Starts the NameNode, after formatting where that was never done; resolves when it serves the namespace. Files can be written when the
 * DataNode is ready, too. Throws PORT_TAKEN or ENGINE_FAILED.
 */
export async function startNamenode(options: HdfsOptions, site: JavaSite): Promise<EngineProcess> {
  const { ports, folder } = options;
  const classPath = await prepare(options, "namenode");
  await format(options, classPath, site);
  return startJava(
    {
      title: "the NameNode",
      mainClass: NAMENODE,
      classPath,
      heapMb: HEAP_MB,
      cwd: folder,
      ports: [ports.namenode, ports.namenodeHttp],
      stopPatienceMs: STOP_PATIENCE_MS,
      ready: () => namenodeAnswers(ports.namenodeHttp),
    },
    site,
  );
}

/** Starts the DataNode; resolves when files can be read and written, for which the NameNode must run. Throws PORT_TAKEN or ENGINE_FAILED. */
export async function startDatanode(options: HdfsOptions, site: JavaSite): Promise<EngineProcess> {
  const { ports, folder } = options;
  return startJava(
    {
      title: "the DataNode",
      mainClass: DATANODE,
      classPath: await prepare(options, "datanode"),
      heapMb: HEAP_MB,
      cwd: folder,
      ports: [ports.datanode, ports.datanodeHttp, ports.datanodeIpc],
      stopPatienceMs: STOP_PATIENCE_MS,
      ready: () => hdfsAnswers(ports),
    },
    site,
  );
}

/** Each has a configuration folder of its own, for both are started at the same time. Returns the class path. */
async function prepare(options: HdfsOptions, part: "namenode" | "datanode"): Promise<string[]> {
  const { folder, ports, sparkHome, jars } = options;
  const conf = join(folder, `${part}-conf`);
  await mkdir(folder, { recursive: true });
  await writeHadoopConf(conf, { "core-site": coreSite(folder, ports), "hdfs-site": hdfsSite(folder, ports) });
  return hadoopClassPath(conf, sparkHome, jars);
}

/** Done in a folder beside it that takes its place when complete: a kill in between leaves nothing that looks formatted. */
async function format({ folder }: HdfsOptions, classPath: readonly string[], site: JavaSite): Promise<void> {
  if (await exists(join(folder, "name"))) return;
  const draft = join(folder, "name.new");
  await rm(draft, { recursive: true, force: true });
  const where = `-Ddfs.namenode.name.dir=${pathToFileURL(draft).href}`;
  const { code, output } = await runCommand(
    join(site.javaHome, "bin/java"),
    ["-cp", classPath.join(":"), NAMENODE, where, "-format", "-nonInteractive"],
    { env: site.environment, cwd: folder },
  );
  if (code !== 0) throw engineFailed(`HDFS could not be formatted: ${lastLines(output, 2)}`, site.logFile);
  await rename(draft, join(folder, "name"));
}

function coreSite(folder: string, ports: HdfsPorts): Record<string, string> {
  return {
    "fs.defaultFS": `hdfs://127.0.0.1:${ports.namenode}`,
    "hadoop.tmp.dir": join(folder, "tmp"),
    "hadoop.security.token.service.use_ip": "true",
  };
}

/** Settings of the NameNode and the DataNode. */
export function hdfsSite(folder: string, ports: HdfsPorts): Record<string, string> {
  return {
    "dfs.namenode.name.dir": pathToFileURL(join(folder, "name")).href,
    "dfs.datanode.data.dir": pathToFileURL(join(folder, "data")).href,
    "dfs.namenode.rpc-bind-host": "127.0.0.1",
    "dfs.namenode.http-address": `127.0.0.1:${ports.namenodeHttp}`,
    "dfs.datanode.address": `127.0.0.1:${ports.datanode}`,
    "dfs.datanode.http.address": `127.0.0.1:${ports.datanodeHttp}`,
    "dfs.datanode.ipc.address": `127.0.0.1:${ports.datanodeIpc}`,
    "dfs.datanode.hostname": "127.0.0.1",
    // Loopback has no name that could be looked up.
    "dfs.namenode.datanode.registration.ip-hostname-check": "false",
    "dfs.replication": "1",
    // Nothing is gained by waiting: there is no second DataNode whose blocks could be missing yet.
    "dfs.namenode.safemode.extension": "0",
    // A DataNode that is gone is noticed after 20 s instead of ten minutes.
    "dfs.heartbeat.interval": "1",
    "dfs.namenode.heartbeat.recheck-interval": "5000",
  };
}

/** Settings for whoever writes to this HDFS through Hadoop's client: Spark, above all. */
export function hdfsClientSettings(): Record<string, string> {
  return {
    "dfs.replication": "1",
    // The default of 400 ms is what closing a small file takes; the DataNode has reported it after a few.
    "dfs.client.block.write.locateFollowingBlock.initial.delay.ms": "20",
    "dfs.client.block.write.locateFollowingBlock.retries": "12",
    "dfs.client.block.write.replace-datanode-on-failure.policy": "NEVER",
    // A NameNode that is being started again is waited for: every half second for ten, every second for a minute.
    "dfs.client.retry.policy.enabled": "true",
    "dfs.client.retry.policy.spec": "500,20,1000,60",
  };
}
