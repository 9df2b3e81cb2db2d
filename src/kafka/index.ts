/** Kafka: the port, and what opens it. */
export { type KafkaPatience, openKafka } from "./client.ts";
export * from "./types.ts";
