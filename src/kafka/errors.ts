/** What goes wrong with Kafka, as errors of qflow: code, sentence, remedy. */
import { findErrorBy } from "@platformatic/kafka";
import { messageOf, QflowError } from "../errors.ts";

/** Names the broker gives to what is nobody's fault but the topic's. */
const MISSING = ["UNKNOWN_TOPIC_OR_PARTITION", "UNKNOWN_TOPIC_ID", "INCONSISTENT_TOPIC_ID"];
const FENCED = ["INVALID_PRODUCER_EPOCH", "PRODUCER_FENCED", "TRANSACTION_COORDINATOR_FENCED"];
const TOO_LARGE = ["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"];
const DENIED = [
  "TOPIC_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
  "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
  "SASL_AUTHENTICATION_FAILED",
  "UNSUPPORTED_SASL_MECHANISM",
];

/** The error of ours that a failure of the client is; `what` = what was being done, with which topic. */
export function kafkaError(error: unknown, what: string): QflowError {
  if (error instanceof QflowError) return error;
  // To the client a refused login, among others, is the cause of a network error.
  const told = [error, innermost(error)].filter((one) => one instanceof Error);
  const is = (ids: readonly string[]) => told.some((one) => ids.some((id) => findErrorBy(one, "apiId", id)));
  const because = (code: ConstructorParameters<typeof QflowError>[0]) =>
    new QflowError(code, `${what}: ${reasonOf(error)}`, { cause: error });
  if (is(MISSING) || isUnknownTopic(error)) return because("KAFKA_TOPIC_MISSING");
  if (is(["OFFSET_OUT_OF_RANGE"])) return because("KAFKA_OFFSET_GONE");
  if (is(FENCED)) return because("KAFKA_FENCED");
  if (is(TOO_LARGE)) return because("KAFKA_TOO_LARGE");
  if (is(DENIED) || told.some((one) => findErrorBy(one, "code", "PLT_KFK_AUTHENTICATION")))
    return because("KAFKA_DENIED");
  if (error instanceof Error && findErrorBy(error, "code", "PLT_KFK_NETWORK")) return because("KAFKA_UNAVAILABLE");
  return because("KAFKA_FAILED");
}

/** What the client finds out by itself has no name. */
function isUnknownTopic(error: unknown): boolean {
  return error instanceof Error && /^Unknown topic /.test(error.message);
}

/** The innermost error: what the client wraps around it says only how often it tried. */
function innermost(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors.at(-1));
  return error instanceof Error && error.cause instanceof Error ? innermost(error.cause) : error;
}

function reasonOf(error: unknown): string {
  const text = messageOf(innermost(error));
  return text === "" ? "no reason was given" : text;
}
