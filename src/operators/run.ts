/** The contract between a worker and an operator's run module. */
import type { Config } from "../config.ts";
import type { TaskContext } from "../dag/operator.ts";
import type { Json } from "../dag/spec.ts";
import type { Database } from "../metadata/database.ts";

/** What an operator gets beyond what every task gets. */
export interface OperatorContext extends TaskContext {
  readonly config: Config;
  readonly database: Database;
  /** Identity of the attempt. External names (Spark tag, temporary files) derive from `token` before anything is submitted. */
  readonly attempt: { readonly id: string; readonly token: string };
  /** Shown live in the UI and in `qflow runs show`; rate-limited by the worker. `total` null = unknown. */
  progress(step: string, done: number, total: number | null): void;
  /** Persists where the outside work can be found again, under the attempt's token. Resolves when durable; throws FENCED. */
  saveHandle(handle: Json): Promise<void>;
  /** The handle an earlier attempt of this task instance saved, or null. */
  readonly previousHandle: Json;
  /** Asks, right before a publication, whether this attempt still owns the task with at least 4 s of lease. Throws FENCED. */
  publishPermit(): Promise<void>;
}

/** A run module: `src/operators/<name>.run.ts` exports one as `run`. `config` has had its tokens resolved and is re-checked by the schema. */
export type OperatorRun<C, R extends Json> = (config: C, context: OperatorContext) => Promise<R>;
