import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { loadConfig, parseConnectionUrl } from "../../src/config.ts";
import { javaClientSettings, kafkaAddress } from "../../src/operators/clients/kafka.ts";
import { prepare } from "../../src/operators/spark-stream.run.ts";
import { sparkStreamSchema } from "../../src/operators/spark-stream.ts";

const CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const address = (url: string) => kafkaAddress(parseConnectionUrl("k", "test", url), "test");

test("a connection says brokers, login and whom to trust, for our client and for Java's", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "qflow-ca-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const ca = join(folder, "ca.pem");
  await writeFile(ca, CERTIFICATE);
  const plain = address("kafka://h");
  t.deepEqual(plain, { brokers: ["h:9092"], clientId: "test", tls: "off", login: null });
  t.deepEqual(javaClientSettings(plain), { "bootstrap.servers": "h:9092", "security.protocol": "PLAINTEXT" });

  const full = address(
    `kafka://app:${encodeURIComponent('pa"ss\\word')}@h:1/?brokers=i:2&tls=true&ca=${ca}&mechanism=SCRAM-SHA-512`,
  );
  t.like(full, { brokers: ["h:1", "i:2"], tls: "on", ca: CERTIFICATE });
  t.deepEqual(full.login, { mechanism: "SCRAM-SHA-512", username: "app", password: 'pa"ss\\word' });
  t.deepEqual(javaClientSettings(full), {
    "bootstrap.servers": "h:1,i:2",
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.jaas.config":
      'org.apache.kafka.common.security.scram.ScramLoginModule required username="app" password="pa\\"ss\\\\word";',
    "ssl.truststore.type": "PEM",
    "ssl.truststore.certificates": CERTIFICATE,
  });
  t.is(address(`kafka://h?tls=true&ca=${encodeURIComponent(CERTIFICATE)}`).ca, CERTIFICATE);
});

test("settings that would send a password in the open, or trust nobody knows whom, are refused", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "qflow-ca-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const other = join(folder, "other.pem");
  await writeFile(other, "a secret of somebody else");
  for (const [url, why] of [
    ["kafka://u:p@h?ca=/ca.pem", /no tls=true/],
    ["kafka://u:p@h?tls=yes", /tls is true or false/],
    ["kafka://u:p@h?mechanism=GSSAPI", /mechanism is one of/],
    ["kafka://h?tls=true&ca=/nowhere.pem", /cannot be read/],
    [`kafka://h?tls=true&ca=${other}`, /holds no certificates/],
  ] as const) {
    const error = t.throws(() => address(url), { code: "CONFIG_INVALID", message: why });
    t.false(error?.message.includes("somebody else"));
  }
});

test("a streaming application gets its login in a file that nobody else can read, and nowhere else", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "qflow-stream-"));
  t.teardown(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "app.py"), "");
  const config = {
    ...loadConfig({ QFLOW_HOME: folder, QFLOW_DAGS: join(folder, "dags") }),
    spark: { home: folder, confDir: folder, python: "python3", javaHome: null, kafkaJars: [] },
    dagsDir: join(folder, "dags"),
  } as never;
  const connection = parseConnectionUrl("k", "test", "kafka://app:hunter2hunter2@h:1?mechanism=SCRAM-SHA-256");
  const given = sparkStreamSchema.parse({ application: "app.py", kafka: "k" });
  const attempt = join(folder, "attempt");
  const command = await prepare(given, { config, name: "s.1", folder: attempt, connection: () => connection });
  t.is(command.env.QFLOW_KAFKA_SERVERS, "h:1");
  const file = command.env.QFLOW_KAFKA_CONFIG as string;
  t.is((await stat(file)).mode & 0o777, 0o600);
  t.like(JSON.parse(await readFile(file, "utf8")), { "security.protocol": "SASL_PLAINTEXT" });
  t.true((await readFile(file, "utf8")).includes("hunter2hunter2"));
  t.false(JSON.stringify([command.args, command.env]).includes("hunter2hunter2"));
  t.false((await readFile(join(attempt, "spark.properties"), "utf8")).includes("hunter2hunter2"));
});
