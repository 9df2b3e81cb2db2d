/** What an operator is told and may ask, on top of what every task is. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config.ts";
import type { Json } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";
import type { Database } from "../metadata/database.ts";
import { type ClaimedTask, type EmittedEvent, publishPermit, saveHandle, saveProgress } from "../metadata/work.ts";
import type { OperatorContext } from "../operators/run.ts";
import { backoff } from "./backoff.ts";
import { buildContext, type ContextParts } from "./task-context.ts";

/** Least time between two stored progress reports of one attempt. */
const PROGRESS_EVERY_MS = 1000;

/** What the host gives to every context. */
export interface OperatorContextParts extends ContextParts {
  config: Config;
  database: Database;
}

/** Builds the context of an operator's attempt. */
export function buildOperatorContext(
  task: ClaimedTask,
  parts: OperatorContextParts,
): { context: OperatorContext; emitted: EmittedEvent[] } {
  const { config, database, signal } = parts;
  const { context, emitted } = buildContext(task, parts);
  const owner = { attemptId: task.attemptId, token: task.token };
  const progress = limited((step: string, done: number, total: number | null) =>
    saveProgress(database, owner, { step, done, total }),
  );
  return {
    emitted,
    context: {
      ...context,
      config,
      database,
      attempt: { id: task.attemptId, token: task.token },
      previousHandle: task.previousHandle,
      progress,
      saveHandle: (handle: Json) => untilAnswered(() => saveHandle(database, owner, handle), signal),
      publishPermit: () => untilAnswered(() => publishPermit(database, owner), signal),
    },
  };
}

/** At most one call a period; the last one is never lost. A report that cannot be stored is not worth failing for. */
function limited<A extends unknown[]>(store: (...args: A) => Promise<unknown>): (...args: A) => void {
  let waiting: A | null = null;
  let busy = false;
  const pump = async () => {
    busy = true;
    while (waiting) {
      const args: A = waiting;
      waiting = null;
      await store(...args).catch(() => {});
      await sleep(PROGRESS_EVERY_MS, undefined, { ref: false });
    }
    busy = false;
  };
  return (...args) => {
    waiting = args;
    if (!busy) void pump();
  };
}

/** Asks until the database answers; its refusal (a QflowError such as FENCED) is an answer. Ends when the attempt is stopped. */
async function untilAnswered(ask: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (let failures = 1; ; failures++) {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof QflowError && error.code !== "DATABASE_UNAVAILABLE") throw error;
      if (signal.aborted) throw error;
      await sleep(backoff(failures), undefined, { signal });
    }
  }
}
