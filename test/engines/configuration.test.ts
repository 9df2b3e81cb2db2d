import test from "ava";
import { loadConfig } from "../../src/config.ts";
import { lakeOf } from "../../src/engines/environment.ts";
import { enginesFor, lakeEngines } from "../../src/engines/groups.ts";
import { configurationXml } from "../../src/engines/hadoop.ts";
import { hdfsSite } from "../../src/engines/hdfs.ts";
import { kafkaProperties } from "../../src/engines/kafka.ts";
import { yarnSite } from "../../src/engines/yarn.ts";

const BOUND_ELSEWHERE = /0\.0\.0\.0|\blocalhost\b/;

test("a broker listens on loopback only and makes no topics by itself", (t) => {
  const options = { folder: "/f", port: 21_001, controllerPort: 21_002, jars: [] };
  const lines = kafkaProperties(options, "/f/data").trim().split("\n");
  t.true(lines.includes("listeners=PLAINTEXT://127.0.0.1:21001,CONTROLLER://127.0.0.1:21002"));
  t.true(lines.includes("log.dirs=/f/data"));
  t.true(lines.includes("auto.create.topics.enable=false"));
  t.false(BOUND_ELSEWHERE.test(lines.join("\n")));
});

test("every address of HDFS and YARN is on loopback", (t) => {
  const hdfs = hdfsSite("/f", { namenode: 1, namenodeHttp: 2, datanode: 3, datanodeHttp: 4, datanodeIpc: 5 });
  const yarn = yarnSite("/f", {
    ...{ resourcemanager: 1, resourcemanagerHttp: 2, resourcemanagerScheduler: 3, resourcemanagerTracker: 4 },
    ...{ resourcemanagerAdmin: 5, nodemanager: 6, nodemanagerHttp: 7, nodemanagerLocalizer: 8 },
  });
  for (const [name, value] of Object.entries({ ...hdfs, ...yarn })) {
    if (/address|host(name)?$/.test(name) && !name.endsWith("ip-hostname-check"))
      t.regex(value, /^127\.0\.0\.1(:\d)?$/, name);
  }
});

test("values are escaped in Hadoop's files", (t) => {
  t.regex(configurationXml({ a: "<&>" }), /<name>a<\/name><value>&lt;&amp;&gt;<\/value>/);
});

test("engines by the names people use, in the order of their start", (t) => {
  const config = loadConfig({});
  t.deepEqual(enginesFor(config, ["hdfs", "kafka"]), ["kafka", "namenode", "datanode"]);
  t.deepEqual(enginesFor(config, ["stream", "hdfs"]), ["kafka", "namenode", "datanode"]);
  t.deepEqual(enginesFor(config, ["yarn", "postgres"]), ["postgres", "resourcemanager", "nodemanager"]);
  const error = t.throws(() => enginesFor(config, ["kafak"]), { code: "USAGE" });
  t.regex((error as { remedy?: string }).remedy ?? "", /kafka/);
});

test("a cluster of one's own takes the place of the engine", (t) => {
  const config = loadConfig({ QFLOW_CONN_KAFKA_DEFAULT: "kafka://broker:9092" });
  t.deepEqual(enginesFor(config, ["stream"]), ["namenode", "datanode"]);
});

test("HDFS runs where the lake lies on it without a host, and is not replaced", (t) => {
  const onHdfs = { QFLOW_LAKE: "hdfs:///lake" };
  t.deepEqual(lakeEngines(loadConfig(onHdfs)), ["namenode", "datanode"]);
  t.deepEqual(lakeEngines(loadConfig({ ...onHdfs, QFLOW_CONN_HDFS_DEFAULT: "hdfs://namenode:8020" })), []);
  t.deepEqual(lakeEngines(loadConfig({ QFLOW_LAKE: "hdfs://namenode:8020/lake" })), []);
  t.deepEqual(lakeEngines(loadConfig({})), []);
});

test("a lake on an HDFS that has never run is a mistake that says what to do; one on a cluster of its own has its address", (t) => {
  const state = { id: "h", ports: {}, passwords: {} } as never;
  const lakeDir = "hdfs:///lake";
  const error = t.throws(() => lakeOf({ lakeDir, connections: {} }, state)) as { code?: string; remedy?: string };
  t.is(error.code, "CONFIG_INVALID");
  t.regex(error.remedy ?? "", /QFLOW_CONN_HDFS_DEFAULT/);
  const { connections } = loadConfig({ QFLOW_CONN_HDFS_DEFAULT: "hdfs://me@cluster:9000" });
  t.is(lakeOf({ lakeDir, connections }, state), "hdfs://cluster:9000/lake");
});
