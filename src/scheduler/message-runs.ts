/** Creates the runs of DAGs that messages start: each message is taken by one run, or ends as a dead one. */
import { checkParams } from "../dag/params.ts";
import type { DagSpec, Json } from "../dag/spec.ts";
import { messageOf, QflowError } from "../errors.ts";
import type { Database, Sql } from "../metadata/database.ts";
import { type DatasetConsumer, lockConsumer } from "../metadata/dataset-runs.ts";
import {
  bury,
  countTry,
  markTaken,
  messageDags,
  type WaitingMessage,
  waitingMessages,
} from "../metadata/message-inbox.ts";
import { insertRun, startRuns } from "../metadata/runs.ts";
import { withSavepoint } from "../metadata/savepoint.ts";
import { isTransient } from "../metadata/transient.ts";
import { contentOf, textOf } from "../operators/clients/json-text.ts";
import { createForEach, type EachDagReport } from "./each-dag.ts";

/** Runs that are made of one DAG in one transaction. */
const BATCH = 100;
/** A message of which no run could be made so often is dead. */
const TRIES = 3;

/** Creates what waiting messages ask for. A DAG that cannot be served does not hold up the others. */
export async function createMessageRuns(database: Database): Promise<EachDagReport> {
  return createForEach(database, await messageDags(database), createFor);
}

async function createFor(sql: Sql, dagId: string): Promise<number> {
  const consumer = await lockConsumer(sql, dagId);
  const schedule = consumer?.spec.schedule;
  if (!consumer || schedule?.kind !== "messages" || consumer.room <= 0) return 0;
  const { window } = schedule;
  const room = Math.min(consumer.room, BATCH);
  const waiting = await waitingMessages(sql, dagId, window === null ? room : window.messages);
  const groups = window === null ? waiting.map((message) => [message]) : [waiting];
  let created = 0;
  for (const group of groups) created += await createOne(sql, consumer, group);
  if (created > 0) await startRuns(sql, dagId);
  return created;
}

/** One run of some messages; of those that fail, and of what cannot be kept, none. */
async function createOne(sql: Sql, consumer: DatasetConsumer, group: readonly WaitingMessage[]): Promise<0 | 1> {
  const ids = group.map(({ id }) => id);
  if (ids.length === 0) return 0;
  try {
    await withSavepoint(sql, async () => {
      await insertMessageRun(sql, consumer, group);
      await markTaken(sql, ids);
    });
    return 1;
  } catch (error) {
    if (isTransient(error)) throw error;
    await countTry(sql, ids);
    const isHopeless = error instanceof QflowError && error.retry === "fatal";
    const dead = group.filter(({ tries }) => isHopeless || tries + 1 >= TRIES);
    const reason = messageOf(error);
    await bury(
      sql,
      { dagId: consumer.dagId, taskId: null },
      dead.map((message) => ({ ...message, reason })),
    );
    await markTaken(
      sql,
      dead.map(({ id }) => id),
    );
    return 0;
  }
}

async function insertMessageRun(sql: Sql, consumer: DatasetConsumer, group: readonly WaitingMessage[]): Promise<void> {
  const { dagId, versionId, spec, now } = consumer;
  const messages = group.map(messageValue);
  await insertRun(sql, {
    dagId,
    runId: `message__${now.toISOString()}_${group[0]?.id}`,
    versionId,
    kind: "message",
    logicalDate: null,
    interval: null,
    runAfter: null,
    conf: { messages },
    params: messageParams(spec, messages),
    by: "scheduler",
  });
}

/** A message as a run gets it. */
export interface MessageValue {
  [key: string]: Json;
  topic: string;
  partition: number;
  offset: number;
  timestamp: string;
  key: string | null;
  /** JSON as it was sent, else text; null where there is none, where it is too large (`bytes` says so), and where it is no text. */
  value: Json;
  bytes: number;
}

/** From a kept message to what a run gets. Pure. */
export function messageValue(message: Omit<WaitingMessage, "id" | "tries" | "dedupeKey">): MessageValue {
  const { topic, partition, offset, sentAt, key, value, bytes } = message;
  return {
    topic,
    partition,
    offset,
    timestamp: sentAt.toISOString(),
    key: textOf(key),
    value: contentOf(value),
    bytes,
  };
}

/**
 * The params of a run: `message` or `messages`, and the fields of a single message, as far as the DAG declares them. Pure. Throws
 * PARAMS_INVALID.
 */
export function messageParams(
  spec: Pick<DagSpec, "dagId" | "params" | "schedule">,
  messages: readonly MessageValue[],
): Json {
  const isWindow = spec.schedule?.kind === "messages" && spec.schedule.window !== null;
  const [first] = messages;
  const fields = !isWindow && isObject(first?.value) ? first.value : {};
  const given: Record<string, Json> = isWindow ? { messages: [...messages] } : { ...fields, message: first ?? null };
  const declared = isObject(spec.params) && isObject(spec.params.properties) ? spec.params.properties : null;
  if (declared === null) return checkParams(spec, given);
  return checkParams(spec, Object.fromEntries(Object.entries(given).filter(([name]) => Object.hasOwn(declared, name))));
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
