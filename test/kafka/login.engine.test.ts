// A real broker that asks for a login, in the open and under TLS: our client and Spark's come in by the same connection, and strangers do not.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import type { Connection } from "../../src/dag/operator.ts";
import { QflowError } from "../../src/errors.ts";
import { KAFKA_MECHANISMS, openKafka } from "../../src/kafka/index.ts";
import { javaClientSettings, kafkaAddress } from "../../src/operators/clients/kafka.ts";
import { sinkConf, submitSink } from "../platform/support/submitted-sink.ts";
import { type SecuredBroker, startSecuredBroker } from "./support/secured-broker.ts";

let broker: SecuredBroker;
const ends: (() => unknown)[] = [];

test.before("a broker with listeners that ask for a login", async (t) => {
  t.timeout(600_000);
  broker = await startSecuredBroker({ teardown: (end) => void ends.push(end) });
});

test.after.always(async () => {
  for (const end of ends.reverse()) await end();
});

function connection(port: number, given: Partial<Connection> = {}): Connection {
  const login = { user: "app", password: broker.password };
  return { id: "k", kind: "kafka", host: "127.0.0.1", port, path: "", options: {}, ...login, ...given };
}

/** Topics that a connection gets to see, or the code of why not. */
async function topics(given: Connection): Promise<string[] | string> {
  const kafka = openKafka(kafkaAddress(given, "test"), { timeoutMs: 20_000 });
  try {
    return await kafka.topics();
  } catch (error) {
    return error instanceof QflowError ? `${error.code}: ${error.message}` : String(error);
  } finally {
    await kafka.close();
  }
}

test.serial("whoever says the password comes in by every mechanism, with and without TLS", async (t) => {
  t.timeout(120_000);
  for (const mechanism of KAFKA_MECHANISMS) {
    t.deepEqual(await topics(connection(broker.open, { options: { mechanism } })), [], mechanism);
    const under = { mechanism, tls: "true", ca: broker.ca };
    t.deepEqual(await topics(connection(broker.tls, { options: under })), [], `${mechanism} under TLS`);
  }
  const anyone = { user: "", password: "", options: { tls: "true", ca: broker.ca } };
  t.deepEqual(await topics(connection(broker.anonymousTls, anyone)), []);
});

test.serial("strangers, and brokers that nobody vouches for, are told by name", async (t) => {
  t.timeout(180_000);
  for (const mechanism of KAFKA_MECHANISMS) {
    const answer = await topics(connection(broker.open, { password: "wrong", options: { mechanism } }));
    t.regex(String(answer), /^KAFKA_DENIED/, mechanism);
  }
  t.regex(String(await topics(connection(broker.tls, { options: { tls: "true" } }))), /^KAFKA_\w+: .*certificate/i);
});

test.serial("messages that are sent with a login are read with one, and a transaction is whole", async (t) => {
  t.timeout(120_000);
  const options = { mechanism: "SCRAM-SHA-512", tls: "true", ca: broker.ca };
  const kafka = openKafka(kafkaAddress(connection(broker.tls, { options }), "test"));
  t.teardown(() => kafka.close());
  await kafka.createTopic("app-events", { partitions: 1 });
  const transaction = await kafka.transaction("one");
  const event = { eventType: "purchase", timestamp: "2026-01-01T10:00:00", coupon: "a" };
  const value = Buffer.from(JSON.stringify(event));
  await transaction.send("app-events", [
    { key: null, value },
    { key: null, value },
  ]);
  await transaction.commit();
  const topic = await kafka.topic("app-events");
  const [portion] = await kafka.read(topic, new Map([[0, 0]]), { maxBytes: 1e6, waitMs: 100 });
  t.is(portion?.messages.length, 2);
});

test.serial("the sink reads by login and TLS; its password is in no argument, no log and no checkpoint", async (t) => {
  t.timeout(600_000);
  const folder = await mkdtemp(join(tmpdir(), "qflow-login-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const options = { mechanism: "SCRAM-SHA-256", tls: "true", ca: broker.ca };
  const settings = join(folder, "kafka.json");
  const submit = async (given: Connection) => {
    await writeFile(settings, JSON.stringify(javaClientSettings(kafkaAddress(given, "test"))), { mode: 0o600 });
    return runSink(folder, settings);
  };
  const refused = await submit(connection(broker.tls, { password: "wrong", options }));
  t.regex(refused.output, /KAFKA_DENIED/);
  const read = await submit(connection(broker.tls, { options }));
  t.is(read.code, 0, read.output.slice(-3000));
  const [entry] = await readdir(join(folder, "root/ledger"));
  t.like(JSON.parse(await readFile(join(folder, "root/ledger", entry ?? ""), "utf8")), {
    read: 2,
    dead: 0,
    fields: [["coupon", "string"]],
  });
  const said = [read.output, refused.output, await broker.log(), await textsBelow(join(folder, "root"))].join("\n");
  t.false(said.includes("hunter2"));
});

/** Runs the sink until it has read everything. Its output has the log of Spark at INFO. */
async function runSink(folder: string, settings: string): Promise<{ code: number | null; output: string }> {
  const log4j = join(folder, "log4j2.properties");
  await writeFile(
    log4j,
    "rootLogger.level = info\nrootLogger.appenderRef.out.ref = out\nappender.out.type = Console\nappender.out.name = out\nappender.out.target = SYSTEM_ERR\nappender.out.layout.type = PatternLayout\n",
  );
  const conf = {
    ...sinkConf(broker.config, join(folder, "warehouse"), folder),
    "spark.driver.extraJavaOptions": `-Djava.io.tmpdir=${folder} -Dlog4j2.configurationFile=${log4j}`,
  };
  const args = ["--kafka-config", settings, "--topic", "app-events", "--root", join(folder, "root")];
  return (await submitSink(conf, folder, args)).ended;
}

async function textsBelow(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return (await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name), "latin1")))).join("\n");
}
