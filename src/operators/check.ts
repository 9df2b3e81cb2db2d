/** The contract between the scheduler and a sensor's check module (`<name>.check.ts`). */
import type { Connection } from "../dag/operator.ts";
import type { Json } from "../dag/spec.ts";
import type { QflowError } from "../errors.ts";
import type { Sql } from "../metadata/database.ts";
import type { WaitGiven } from "../metadata/waits.ts";

/** What a check may use. */
export interface CheckContext {
  readonly database: Sql;
  /** Aborted when the scheduler stops, or the check takes too long. */
  readonly signal: AbortSignal;
  /** A connection by id. Rejects with CONNECTION_UNKNOWN. */
  connection(id: string): Promise<Connection>;
}

/** What a wait begins with. */
export interface Prepared<C extends Json> {
  /** What is waited for, as each check gets it. */
  readonly condition: C;
  /** What wakes the wait: see `task_wait.key`. */
  readonly key?: string;
  /** What its checks use, so that one that is slow holds up no others. */
  readonly resource?: string;
  /** The first check; at once unless set, null = when it is woken, or at the deadline. */
  readonly checkAt?: Date | null;
  /** What the log and the task's page say is waited for. */
  readonly note: string;
}

/** What a check found. */
export type Checked<R> =
  | { readonly state: "met"; readonly value: R }
  /** `wake` = only what wakes it, or the deadline, makes it due again; otherwise the sensor's pace does. */
  | {
      readonly state: "unmet";
      readonly note: string;
      readonly next?: "wake";
      /** What the next check gets in place of the condition: how far this one has looked. */
      readonly condition?: Json;
    }
  /** It cannot be met any more. An error that is not fatal is one of this check alone. */
  | { readonly state: "failed"; readonly error: QflowError };

/** One wait as a check sees it. */
export interface Waiting<C> {
  readonly condition: C;
  /** The database's clock. */
  readonly at: Date;
}

/** A check module: `src/operators/<name>.check.ts` exports one as `check`. `config` has had its tokens resolved. */
export interface SensorCheck<Config, C extends Json, R extends Json> {
  /** Makes the condition; throws a fatal error where that is impossible. */
  prepare(config: Config, given: WaitGiven, context: CheckContext): Promise<Prepared<C>>;
  /** Looks at conditions, and answers in their order. What it throws is held to be the answer for all of them. */
  look(waits: readonly Waiting<C>[], context: CheckContext): Promise<Checked<R>[]>;
  /** `together` = one look for all that are due; `each` = a look for each, side by side. */
  readonly looks: "together" | "each";
}
