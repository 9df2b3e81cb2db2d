/** A connection of kind `kafka` as the address of a cluster, for our own client and for Java's. */
import { readFileSync } from "node:fs";
import type { Connection } from "../../dag/operator.ts";
import { messageOf, QflowError } from "../../errors.ts";
import { KAFKA_MECHANISMS, type Kafka, type KafkaAddress, type KafkaPatience, openKafka } from "../../kafka/index.ts";

const PORT = 9092;

/**
 * `kafka://user:password@host:port?brokers=host2:9092,host3:9092&tls=true&ca=/etc/kafka/ca.pem&mechanism=SCRAM-SHA-512`: without a user
 * there is no login, and with one the mechanism is PLAIN unless set; `ca` is a file, or the certificates themselves. Throws CONFIG_INVALID.
 */
export function kafkaAddress(connection: Connection, clientId: string): KafkaAddress {
  const { id, host, port, user, password, options } = connection;
  const others = (options.brokers ?? "").split(",").flatMap((broker) => broker.trim() || []);
  const brokers = [`${host}:${port || PORT}`, ...others];
  const mechanism = KAFKA_MECHANISMS.find((one) => one === (options.mechanism ?? "PLAIN"));
  if (mechanism === undefined) {
    throw new QflowError("CONFIG_INVALID", `connection ${id}: mechanism is one of ${KAFKA_MECHANISMS.join(", ")}`);
  }
  if (!["true", "false", undefined].includes(options.tls)) {
    throw new QflowError("CONFIG_INVALID", `connection ${id}: tls is true or false`);
  }
  const login = user === "" ? null : { mechanism, username: user, password };
  const address = { brokers, clientId, tls: options.tls === "true" ? "on" : "off", login } as const;
  if (options.ca === undefined) return address;
  if (address.tls === "off") {
    // Whoever names whom to trust does not mean to send a password in the open.
    throw new QflowError("CONFIG_INVALID", `connection ${id} has ca, but no tls=true`);
  }
  return { ...address, ca: certificates(id, options.ca) };
}

const PEM = "-----BEGIN CERTIFICATE-----";

function certificates(id: string, given: string): string {
  if (given.includes(PEM)) return given;
  const refused = (why: string) => new QflowError("CONFIG_INVALID", `connection ${id}: ca is ${given}, ${why}`);
  let text: string;
  try {
    text = readFileSync(given, "utf8");
  } catch (error) {
    throw refused(`which cannot be read: ${messageOf(error)}`);
  }
  if (!text.includes(PEM)) throw refused("which holds no certificates in PEM");
  return text;
}

/** The address as settings of Kafka's Java client, secrets included. */
export function javaClientSettings({ brokers, tls, ca, login }: KafkaAddress): Record<string, string> {
  const protocol = `${login === null ? "" : "SASL_"}${tls === "on" ? "SSL" : "PLAINTEXT"}`;
  return {
    "bootstrap.servers": brokers.join(","),
    "security.protocol": protocol,
    ...(login === null ? {} : { "sasl.mechanism": login.mechanism, "sasl.jaas.config": jaasOf(login) }),
    ...(ca === undefined ? {} : { "ssl.truststore.type": "PEM", "ssl.truststore.certificates": ca }),
  };
}

const LOGIN_MODULES = {
  PLAIN: "org.apache.kafka.common.security.plain.PlainLoginModule",
  SCRAM: "org.apache.kafka.common.security.scram.ScramLoginModule",
} as const;

function jaasOf({ mechanism, username, password }: NonNullable<KafkaAddress["login"]>): string {
  const quoted = (text: string) => `"${text.replace(/["\\]/g, "\\$&")}"`;
  const module = LOGIN_MODULES[mechanism === "PLAIN" ? "PLAIN" : "SCRAM"];
  return `${module} required username=${quoted(username)} password=${quoted(password)};`;
}

/** Hands `work` a client of the connection's cluster, and closes it afterwards. */
export async function withKafka<T>(
  connection: Connection,
  { clientId, ...patience }: KafkaPatience & { clientId: string },
  work: (kafka: Kafka) => Promise<T>,
): Promise<T> {
  const kafka = openKafka(kafkaAddress(connection, clientId), patience);
  try {
    return await work(kafka);
  } finally {
    await kafka.close();
  }
}
