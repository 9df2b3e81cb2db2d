/** Asks a Kafka broker for its topics. */
import { openKafka } from "../kafka/index.ts";

const ANSWER_TIMEOUT_MS = 15_000;
/** Enough to see that partitions have leaders; asking after thousands would be work. */
const ASKED_TOPICS = 20;

/** Whether a broker on 127.0.0.1 names its topics and their partitions have leaders that answer. Never rejects. */
export async function kafkaAnswers(port: number): Promise<boolean> {
  const address = { brokers: [`127.0.0.1:${port}`], clientId: "qflow-health", tls: "off", login: null } as const;
  const kafka = openKafka(address, { timeoutMs: ANSWER_TIMEOUT_MS });
  try {
    const names = await kafka.topics();
    for (const name of names.slice(0, ASKED_TOPICS)) await kafka.spans(await kafka.topic(name));
    return true;
  } catch {
    return false;
  } finally {
    await kafka.close();
  }
}
