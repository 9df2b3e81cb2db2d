/** What a task function or operator is told about its attempt, built in the process that runs it. */
import type { Connection, TaskContext, TaskLog } from "../dag/operator.ts";
import { QflowError } from "../errors.ts";
import type { ClaimedTask, EmittedEvent } from "../metadata/work.ts";

/** A context and what was emitted through it. */
export interface BuiltContext {
  context: TaskContext;
  emitted: EmittedEvent[];
}

/** What the process gives to every context it builds. */
export interface ContextParts {
  log: TaskLog;
  signal: AbortSignal;
  connections: Readonly<Record<string, Connection>>;
}

/** Builds the context of an attempt. */
export function buildContext(task: ClaimedTask, parts: ContextParts): BuiltContext {
  const emitted: EmittedEvent[] = [];
  const context: TaskContext = {
    dagId: task.dagId,
    runId: task.runId,
    taskId: task.taskId,
    tryNumber: task.tryNumber,
    mapIndex: task.mapIndex,
    logicalDate: task.logicalDate === null ? null : new Date(task.logicalDate),
    interval: task.interval && { start: new Date(task.interval.start), end: new Date(task.interval.end) },
    params: task.params,
    events: task.events.map((event) => ({ ...event, at: new Date(event.at) })),
    log: parts.log,
    signal: parts.signal,
    connection: (id) => connectionOf(parts.connections, id),
    emit: (dataset, event = {}) => void emitted.push({ dataset, ...event }),
  };
  return { context, emitted };
}

function connectionOf(connections: Readonly<Record<string, Connection>>, id: string): Connection {
  const connection = Object.hasOwn(connections, id) ? connections[id] : undefined;
  if (connection) return connection;
  throw new QflowError("CONNECTION_UNKNOWN", `there is no connection ${id}`, {
    remedy: `Set QFLOW_CONN_${id.toUpperCase()} for the worker to the connection's URL.`,
  });
}
