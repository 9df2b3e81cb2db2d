/** The stream's sink as a `spark-submit` of its own, for tests that end it or look at what it says. */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../../../src/config.ts";
import { jarSetFiles } from "../../../src/engines/jar-sets.ts";
import type { FileStore } from "../../../src/lake/index.ts";
import { createStatements } from "./ddl.ts";
import { installedSpark } from "./spark.ts";

const JOB = join(import.meta.dirname, "sink_with_tables.py");

/** Settings of Spark for the sink: tables below `warehouse`, a metastore in `folder`, because driver follows driver. */
export function sinkConf(config: Config, warehouse: string, folder: string): Record<string, string> {
  return {
    "spark.master": "local[2]",
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": `-Djava.io.tmpdir=${folder}`,
    "spark.local.dir": folder,
    "spark.ui.enabled": "false",
    "spark.driver.extraClassPath": jarSetFiles(config, "sparkKafka").join(":"),
    "spark.sql.catalogImplementation": "hive",
    "spark.sql.warehouse.dir": warehouse,
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.hadoop.javax.jdo.option.ConnectionURL": `jdbc:derby:;databaseName=${join(folder, "metastore")};create=true`,
  };
}

/** A sink on its way. */
export interface SubmittedSink {
  readonly process: ChildProcess;
  /** Its exit code, null when it was killed, and all it said. */
  readonly ended: Promise<{ code: number | null; output: string }>;
}

/** Starts the sink, which makes its tables first, to end when everything is read that is there now. Keeps files in `folder`. */
export async function submitSink(
  conf: Readonly<Record<string, string>>,
  folder: string,
  args: readonly string[],
): Promise<SubmittedSink> {
  const spark = await installedSpark();
  const flags = Object.entries(conf).flatMap(([name, value]) => ["--conf", `${name}=${value}`]);
  const tables = join(folder, "tables.json");
  await writeFile(tables, JSON.stringify(createStatements()));
  const child = spawn(join(spark.home, "bin/spark-submit"), [...flags, JOB, tables, ...args, "--until-read"], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      SPARK_HOME: spark.home,
      PYSPARK_PYTHON: spark.python,
      SPARK_LOCAL_IP: "127.0.0.1",
      PYTHONDONTWRITEBYTECODE: "1",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const parts: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => parts.push(String(part)));
  const ended = new Promise<{ code: number | null; output: string }>((settle) =>
    child.once("close", (code) => settle({ code, output: parts.join("") })),
  );
  return { process: child, ended };
}

/** Messages that the sink's ledger, a folder of the lake, says were read. */
export async function readSoFar(store: FileStore, ledger: string): Promise<number> {
  let sum = 0;
  for (const { name } of await store.list(ledger)) {
    const parts: Uint8Array[] = [];
    for await (const part of store.read(`${ledger}/${name}`)) parts.push(part);
    sum += (JSON.parse(Buffer.concat(parts).toString()) as { read: number }).read;
  }
  return sum;
}
