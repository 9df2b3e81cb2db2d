/** What a task function or operator is told about its attempt, built in the process that runs it. */
import type { Connection, TaskContext, TaskLog } from "../dag/operator.ts";
import { QflowError } from "../errors.ts";
import type { ClaimedTask, EmittedEvent } from "../metadata/work.ts";
import type { Secrets } from "./secret-store.ts";

/** A context and what was emitted through it. */
export interface BuiltContext {
  context: TaskContext;
  emitted: EmittedEvent[];
}

/** What the process gives to every context it builds. */
export interface ContextParts {
  log: TaskLog;
  signal: AbortSignal;
  /** As they were when the attempt began. */
  secrets: Secrets;
}

/** Builds the context of an attempt. Throws INPUT_TOO_LARGE. */
export function buildContext(task: ClaimedTask, parts: ContextParts): BuiltContext {
  if (task.isInputTooLarge)
    throw new QflowError("INPUT_TOO_LARGE", `what task ${task.taskId} reads of its upstreams is larger than 64 MB`);
  const emitted: EmittedEvent[] = [];
  const context: TaskContext = {
    dagId: task.dagId,
    runId: task.runId,
    taskId: task.taskId,
    tryNumber: task.tryNumber,
    mapIndex: task.mapIndex,
    logicalDate: task.logicalDate === null ? null : new Date(task.logicalDate),
    interval: task.interval && { start: new Date(task.interval.start), end: new Date(task.interval.end) },
    partition: task.partition,
    params: task.params,
    events: task.events.map((event) => ({ ...event, at: new Date(event.at) })),
    log: parts.log,
    signal: parts.signal,
    connection: (id) => connectionOf(parts.secrets, id),
    variable: (key) => variableOf(parts.secrets, key),
    emit: (dataset, event = {}) => {
      if (event.partition !== undefined) checkPartition(dataset, event.partition);
      emitted.push({ dataset, ...event });
    },
  };
  return { context, emitted };
}

/** Longest partition key, in characters. */
const LONGEST_PARTITION = 250;

function checkPartition(dataset: string, partition: unknown): void {
  if (typeof partition === "string" && partition !== "" && partition.length <= LONGEST_PARTITION) return;
  throw new QflowError(
    "EVENT_INVALID",
    `partition ${JSON.stringify(partition)} of an event of ${dataset} is no partition key`,
  );
}

/** A connection by id. Throws CONNECTION_UNKNOWN, SECRET_UNREADABLE. */
export function connectionOf({ connections, unreadable }: Secrets, id: string): Connection {
  const connection = Object.hasOwn(connections, id) ? connections[id] : undefined;
  if (connection) return connection;
  refuseUnreadable(unreadable, `connection ${id}`);
  throw new QflowError("CONNECTION_UNKNOWN", `there is no connection ${id}`, {
    remedy: `Make it with \`qflow connections set ${id}\`, or set QFLOW_CONN_${id.toUpperCase()} for the worker to its URL.`,
  });
}

/** The environment's variables have keys in lower case. */
function variableOf({ variables, unreadable }: Secrets, key: string): string {
  const name = [key.toLowerCase(), key].find((one) => Object.hasOwn(variables, one));
  if (name !== undefined) return variables[name] as string;
  refuseUnreadable(unreadable, `variable ${key}`);
  throw new QflowError("VARIABLE_UNKNOWN", `there is no variable ${key}`, {
    remedy: `Make it with \`qflow variables set ${key}\`, or set QFLOW_VAR_${key.toUpperCase()} for the worker.`,
  });
}

function refuseUnreadable(unreadable: readonly string[], name: string): void {
  if (unreadable.includes(name)) {
    throw new QflowError("SECRET_UNREADABLE", `${name} does not open with the keys of the worker's machine`);
  }
}
