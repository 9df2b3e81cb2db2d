/** What an operator is given, in tests: a real database, recorded logs, events and handles. */
import { randomBytes, randomUUID } from "node:crypto";
import { type Config, loadConfig } from "../../src/config.ts";
import type { Connection, TaskLog } from "../../src/dag/operator.ts";
import type { Json } from "../../src/dag/spec.ts";
import { QflowError } from "../../src/errors.ts";
import type { Database } from "../../src/metadata/database.ts";
import type { OperatorContext } from "../../src/operators/run.ts";

/** What the operator did to its surroundings. */
export interface Recorded {
  readonly lines: { level: string; message: string; fields: Record<string, unknown> | undefined }[];
  readonly events: { dataset: string; key: string | undefined; extra: Json }[];
  readonly handles: Json[];
  readonly progress: { step: string; done: number; total: number | null }[];
  permits: number;
}

/** Overrides of {@link operatorContext}. */
export interface ContextOptions {
  database: Database;
  home: string;
  env?: Record<string, string>;
  connections?: Connection[];
  runId?: string;
  taskId?: string;
  previousHandle?: Json;
  signal?: AbortSignal;
  permit?: () => Promise<void>;
  /** Called for every handle that is saved. */
  onHandle?: () => void;
}

/** A context for one attempt, and the record of what the operator did with it. */
export function operatorContext(options: ContextOptions): { context: OperatorContext; recorded: Recorded } {
  const recorded: Recorded = { lines: [], events: [], handles: [], progress: [], permits: 0 };
  const config: Config = loadConfig({ QFLOW_HOME: options.home, QFLOW_BATCH_GRACE: "30", ...options.env });
  const context: OperatorContext = {
    dagId: "demo",
    runId: options.runId ?? "run-1",
    taskId: options.taskId ?? "task",
    tryNumber: 1,
    mapIndex: -1,
    logicalDate: null,
    interval: null,
    params: {},
    partition: null,
    events: [],
    log: recordingLog(recorded),
    signal: options.signal ?? new AbortController().signal,
    connection(id) {
      const found = options.connections?.find((connection) => connection.id === id);
      if (!found) throw new QflowError("CONNECTION_UNKNOWN", `no connection ${id}`);
      return found;
    },
    variable(key) {
      throw new QflowError("VARIABLE_UNKNOWN", `no variable ${key}`);
    },
    emit: (dataset, event) => void recorded.events.push({ dataset, key: event?.key, extra: event?.extra ?? null }),
    config,
    database: options.database,
    attempt: { id: randomUUID(), token: randomBytes(8).toString("hex") },
    progress: (step, done, total) => void recorded.progress.push({ step, done, total }),
    saveHandle: async (handle) => {
      recorded.handles.push(handle);
      options.onHandle?.();
    },
    previousHandle: options.previousHandle ?? null,
    publishPermit: async () => {
      recorded.permits++;
      await options.permit?.();
    },
  };
  return { context, recorded };
}

function recordingLog(recorded: Recorded): TaskLog {
  const at = (level: string) => (message: string, fields?: Record<string, unknown>) =>
    void recorded.lines.push({ level, message, fields });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
