/** A connection of kind `kafka` as the address of a cluster. */
import type { Connection } from "../../dag/operator.ts";
import { QflowError } from "../../errors.ts";
import { KAFKA_MECHANISMS, type Kafka, type KafkaAddress, type KafkaPatience, openKafka } from "../../kafka/index.ts";

const PORT = 9092;

/**
 * `kafka://user:password@host:port?brokers=host2:9092,host3:9092&tls=true&mechanism=SCRAM-SHA-512`: without a user there is no login,
 * and with one the mechanism is PLAIN unless set. Throws CONFIG_INVALID.
 */
export function kafkaAddress(connection: Connection, clientId: string): KafkaAddress {
  const { id, host, port, user, password, options } = connection;
  const others = (options.brokers ?? "").split(",").flatMap((broker) => broker.trim() || []);
  const brokers = [`${host}:${port || PORT}`, ...others];
  const mechanism = KAFKA_MECHANISMS.find((one) => one === (options.mechanism ?? "PLAIN"));
  if (mechanism === undefined) {
    throw new QflowError("CONFIG_INVALID", `connection ${id}: mechanism is one of ${KAFKA_MECHANISMS.join(", ")}`);
  }
  const login = user === "" ? null : { mechanism, username: user, password };
  return { brokers, clientId, tls: options.tls === "true" ? "on" : "off", login };
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
