/** The configuration folder that every Spark application of a home uses: the Thrift Server and the workers' drivers alike. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { writePrivate } from "./files.ts";
import { configurationXml } from "./hadoop.ts";
import { METASTORE } from "./metastore.ts";

/** What the configuration is made from. */
export interface SparkConfOptions {
  readonly home: string;
  /** The lake, a folder or an address of HDFS; Hive tables go below its folder `warehouse`. */
  readonly lakeDir: string;
  /** Settings of Hadoop's client, for the file systems that are used. */
  readonly hadoop: Readonly<Record<string, string>>;
  /** Settings of Spark for the cluster that applications may be run on. */
  readonly cluster: Readonly<Record<string, string>>;
  readonly jars: readonly string[];
  readonly postgresPort: number;
  readonly metastorePassword: string;
}

/** SPARK_CONF_DIR of a home. */
export function sparkConfDir(home: string): string {
  return join(home, "spark");
}

/** Writes the folder anew and empties Spark's scratch space. Nothing of Spark may run in this home at that moment. */
export async function writeSparkConf(options: SparkConfOptions): Promise<void> {
  const folder = sparkConfDir(options.home);
  await rm(join(folder, "local"), { recursive: true, force: true });
  // Hive complains at the end of every session when its own scratch folder is absent.
  await mkdir(join(folder, "local/hive-local"), { recursive: true });
  await mkdir(join(folder, "local/tmp"), { recursive: true });
  // On HDFS the first database makes it.
  if (!isAddress(options.lakeDir)) await mkdir(join(options.lakeDir, "warehouse"), { recursive: true });
  const defaults = Object.entries(sparkDefaults(options)).map(([name, value]) => `${name} ${value}\n`);
  await writePrivate(join(folder, "spark-defaults.conf"), defaults.join(""));
  await writePrivate(join(folder, "hive-site.xml"), hiveSite(options));
  await writePrivate(join(folder, "log4j2.properties"), LOG4J2);
}

function sparkDefaults({ home, lakeDir, jars, hadoop, cluster }: SparkConfOptions): Record<string, string> {
  const folder = sparkConfDir(home);
  return {
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.extraClassPath": jars.join(":"),
    "spark.executor.extraClassPath": jars.join(":"),
    // A driver that is killed leaves its temporary folders: here they go at the next start.
    "spark.driver.extraJavaOptions": `-Dderby.system.home=${join(folder, "local")} -Djava.io.tmpdir=${join(folder, "local/tmp")} -Duser.timezone=UTC`,
    "spark.driver.maxResultSize": "384m",
    "spark.local.dir": join(folder, "local"),
    "spark.sql.catalogImplementation": "hive",
    "spark.sql.warehouse.dir": warehouseOf(lakeDir),
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.parquet.compression.codec": "zstd",
    // Partition values stay what they were written as: hour 08 must not become 8.
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    // Other applications write the tables: a remembered list of files would be stale.
    "spark.sql.hive.filesourcePartitionFileCacheSize": "0",
    "spark.sql.filesourceTableRelationCacheSize": "0",
    // The metastore's own filter on a date column casts the keys of every table on PostgreSQL, and fails on those that are no dates:
    // partitions are listed whole and pruned by Spark.
    "spark.sql.hive.metastorePartitionPruning": "false",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    // Hadoop's own starts a chmod for every file and folder it makes; this one asks Java.
    "spark.hadoop.fs.file.impl": "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem",
    ...cluster,
    ...Object.fromEntries(Object.entries(hadoop).map(([name, value]) => [`spark.hadoop.${name}`, value])),
  };
}

function warehouseOf(lakeDir: string): string {
  return isAddress(lakeDir) ? `${lakeDir}/warehouse` : pathToFileURL(join(lakeDir, "warehouse")).href;
}

function isAddress(lakeDir: string): boolean {
  return lakeDir.startsWith("hdfs://");
}

function hiveSite({ home, lakeDir, postgresPort, metastorePassword }: SparkConfOptions): string {
  const scratch = join(sparkConfDir(home), "local");
  const properties = {
    "javax.jdo.option.ConnectionURL": `jdbc:postgresql://127.0.0.1:${postgresPort}/${METASTORE}?ApplicationName=hive`,
    "javax.jdo.option.ConnectionDriverName": "org.postgresql.Driver",
    "javax.jdo.option.ConnectionUserName": METASTORE,
    "javax.jdo.option.ConnectionPassword": metastorePassword,
    "hive.metastore.schema.verification": "true",
    "datanucleus.schema.autoCreateAll": "false",
    // Every driver is a client with a pool of its own, and one at a time uses it.
    "datanucleus.connectionPool.maxPoolSize": "4",
    "bonecp.partitionCount": "1",
    "bonecp.maxConnectionsPerPartition": "4",
    "hive.metastore.warehouse.dir": warehouseOf(lakeDir),
    "hive.exec.scratchdir": join(scratch, "hive"),
    "hive.exec.local.scratchdir": join(scratch, "hive-local"),
    // A folder of its own for each session: one that closes removes it, and another that opens at that moment would find none.
    "hive.downloaded.resources.dir": join(scratch, `hive-resources-\${hive.session.id}`),
    "hive.querylog.location": join(scratch, "hive-log"),
    "hive.server2.logging.operation.enabled": "false",
  };
  return configurationXml(properties);
}

const LOG4J2 = `rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSS}{UTC}Z %p %c{1}: %m%n%ex
# Said at every start, session or write, and of no use to anybody.
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
logger.hiveconf.name = org.apache.hadoop.hive.conf.HiveConf
logger.hiveconf.level = error
logger.objectstore.name = org.apache.hadoop.hive.metastore.ObjectStore
logger.objectstore.level = error
logger.metastore.name = org.apache.hadoop.hive.metastore.HiveMetaStore
logger.metastore.level = error
logger.partitions.name = hive.log
logger.partitions.level = error
logger.jobs.name = org.apache.spark.scheduler.DAGScheduler
logger.jobs.level = error
# The lineage listener explains at length what it cannot describe; whether lineage arrived is checked after every job.
logger.openlineage.name = io.openlineage
logger.openlineage.level = error
logger.micrometer.name = io.micrometer
logger.micrometer.level = error
logger.session.name = org.apache.spark.sql.classic.SparkSession
logger.session.level = error
`;
