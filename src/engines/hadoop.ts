/** What HDFS and YARN have in common: their class path and their configuration files. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writePrivate } from "./files.ts";

/** Jars of Spark's own folder that Hadoop needs: its client, and what it logs with. */
const FROM_SPARK = [
  "hadoop-client-api-3.5.0.jar",
  "hadoop-client-runtime-3.5.0.jar",
  "slf4j-api-2.0.17.jar",
  "jcl-over-slf4j-2.0.17.jar",
  "jul-to-slf4j-2.0.17.jar",
  "log4j-api-2.25.4.jar",
  "log4j-core-2.25.4.jar",
  "log4j-1.2-api-2.25.4.jar",
  "log4j-slf4j2-impl-2.25.4.jar",
];

/** Pages of web interfaces that these jars do not hold; without the folders the processes refuse to start. */
const WEB_FOLDERS = ["hdfs", "datanode", "secondary", "journal", "cluster", "node", "static"];

/** Class path of a Hadoop process: the configuration folder comes first. */
export function hadoopClassPath(confFolder: string, sparkHome: string, jars: readonly string[]): string[] {
  return [confFolder, ...FROM_SPARK.map((file) => join(sparkHome, "jars", file)), ...jars];
}

/** Writes `core-site.xml` and the like, a file for each entry, and what Hadoop logs. */
export async function writeHadoopConf(
  folder: string,
  sites: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<void> {
  for (const name of WEB_FOLDERS) await mkdir(join(folder, "webapps", name), { recursive: true });
  for (const [name, properties] of Object.entries(sites)) {
    await writePrivate(join(folder, `${name}.xml`), configurationXml(properties));
  }
  await writePrivate(join(folder, "log4j2.properties"), LOG4J2);
}

/** Settings as Hadoop and Hive read them. */
export function configurationXml(properties: Readonly<Record<string, string>>): string {
  const lines = Object.entries(properties).map(
    ([name, value]) => `  <property><name>${name}</name><value>${escapeXml(value)}</value></property>\n`,
  );
  return `<?xml version="1.0"?>\n<configuration>\n${lines.join("")}</configuration>\n`;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

const LOG4J2 = `rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
`;
