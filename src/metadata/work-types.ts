/** What a worker and the database tell each other; the calls are in `work.ts`. Times in JSON are ISO 8601 strings in UTC. */

import type { Json, RetryAction, SensorSpec, TaskKind, TaskRule } from "../dag/spec.ts";
import type { RetryClass } from "../errors.ts";

/** A worker process as it introduces itself. */
export interface WorkerIdentity {
  /** The machine; sessions of one host whose process is gone are ended at once. */
  readonly hostId: string;
  readonly pid: number;
  /** Start time of the process as the kernel tells it (field 22 of /proc/PID/stat). */
  readonly pidStartedAt: string;
  /** Environment marker its child processes carry. */
  readonly marker: string;
  /** It claims only tasks of these queues; `default` unless set. */
  readonly queues?: readonly string[];
}

/** Why an attempt must end: `fenced` = the task is no longer its own. */
export type RevokeReason = "cancelled" | "timeout" | "fenced";

/** An attempt whose processes the worker must end. Told with every heartbeat until its outcome is in; unknown ones are ignored. */
export interface Revocation {
  readonly attemptId: string;
  readonly reason: RevokeReason;
}

/** Answer to a heartbeat. */
export interface HeartbeatReply {
  /** Until then (database time) the worker may publish; `leaseMs` is what was left when the database answered. */
  readonly leaseExpiresAt: string;
  readonly leaseMs: number;
  readonly revoked: readonly Revocation[];
}

/** How many more attempts a worker can take: in its runners, and in its asynchronous host. */
export interface Capacity {
  readonly functions: number;
  readonly operators: number;
}

/** Final state of an upstream that a task with a rule other than all_success sees in place of a value. */
export type Outcome =
  | { readonly state: "success"; readonly value: Json }
  | { readonly state: "failed" | "skipped" | "upstream_failed" | "pending" };

/** One claimed attempt with everything its execution needs. */
export interface ClaimedTask {
  readonly attemptId: string;
  readonly token: string;
  readonly taskInstanceId: number;
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  /** -1 where the task is not mapped. */
  readonly mapIndex: number;
  /** 1 for the first try. */
  readonly tryNumber: number;
  readonly versionId: number;
  readonly bundleHash: string;
  readonly kind: TaskKind;
  readonly rule: TaskRule;
  readonly operator: { readonly name: string; readonly config: Json } | null;
  readonly params: Json;
  readonly logicalDate: string | null;
  readonly interval: { readonly start: string; readonly end: string } | null;
  /** The partition the run is for, or null. */
  readonly partition: string | null;
  /** Dataset events that started the run, oldest first. */
  readonly events: readonly {
    readonly dataset: string;
    readonly at: string;
    readonly extra: Json;
    readonly partition: string | null;
  }[];
  /** Item of a mapped instance; null otherwise. */
  readonly item: Json;
  /**
   * Named inputs. Rule all_success: the value (of a mapped upstream: the array of its values in map order). Any other
   * rule: {@link Outcome}, of a mapped upstream `Outcome[]`.
   */
  readonly inputs: Readonly<Record<string, Json | Outcome | readonly Outcome[]>>;
  /** Whether the values are larger than a task may read, and left out: it cannot run. */
  readonly isInputTooLarge: boolean;
  /** Values by upstream task id, for `$output` tokens of the operator's config. */
  readonly outputs: Readonly<Record<string, Json>>;
  /** Kind branch: name → task id it may choose; empty = ids of direct downstream tasks. */
  readonly branchTargets: Readonly<Record<string, string>>;
  /** Dataset ids the task declares to emit. Only events in its outcome are recorded: who runs it decides about defaults. */
  readonly emits: readonly string[];
  /** Of a sensor that was called before: what is left of it. */
  /** Error code, class name or `*` → what becomes of the task; null = errors speak for themselves. */
  readonly retryPolicy: Readonly<Record<string, RetryAction>> | null;
  readonly timeoutMs: number | null;
  /** Null unless it is a sensor. */
  readonly sensor: SensorSpec | null;
  /** Number of the first line it logs: above 1 where a sensor's attempt goes on. */
  readonly firstLogLine: number;
  /** Handle that an earlier attempt of this instance saved, or null. */
  readonly previousHandle: Json;
}

/** A dataset event of a finished attempt; a second one with the same dataset and key is not recorded. */
export interface EmittedEvent {
  readonly dataset: string;
  /** Default: unique to the attempt. */
  readonly key?: string;
  readonly extra?: Json;
  /** Default: that of the run. */
  readonly partition?: string;
}

/** What a person reads about a failure, and programs branch on. */
export interface FailureReport {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** How an attempt ended. `exit` = facts about the process: code, signal, peak memory. */
export type AttemptOutcome = { readonly attemptId: string; readonly token: string; readonly exit?: Json } & (
  | {
      readonly state: "success";
      readonly value: Json;
      readonly events?: readonly EmittedEvent[];
      /** Kind branch: what it chose, as names of `branchTargets` or ids of direct downstream tasks. */
      readonly branch?: readonly string[];
      /** Kind shortCircuit: false skips everything downstream. */
      readonly proceed?: boolean;
    }
  | { readonly state: "skipped"; readonly reason: string }
  /** Kind sensor: not yet. Called again in the same attempt after the sensor's pace. */
  | { readonly state: "up_for_reschedule" }
  /**
   * `infra` failures do not count as a try, up to ten of them. `handBack` = the worker drains: queued again at once, nothing
   * counted at all.
   */
  | {
      readonly state: "failed";
      readonly error: FailureReport;
      readonly retry: RetryClass;
      readonly handBack?: true;
      /** Not before so many milliseconds, in place of the task's own delay. */
      readonly retryAfterMs?: number;
    }
);

/** Answer to finishAndClaim. */
export interface FinishReply {
  /** Attempts whose outcome is recorded, now or (a repeated call) before. */
  readonly accepted: ReadonlySet<string>;
  /** Attempts that were no longer the worker's: nothing was written. */
  readonly fenced: readonly string[];
  readonly claimed: readonly ClaimedTask[];
  /** Counts changes of connections and variables; 0 where nothing was claimed. */
  readonly secretsVersion: number;
}

/** Lines of one attempt's log, to be appended. Appending the same lines again changes nothing. */
export interface LogAppend {
  readonly attemptId: string;
  readonly token: string;
  /** 1-based number of `lines[0]`. */
  readonly firstLine: number;
  readonly lines: readonly LogLine[];
}

/** One line; its number is its position. */
export interface LogLine {
  readonly at: string;
  readonly level: "debug" | "info" | "warn" | "error" | "stdout" | "stderr";
  readonly text: string;
}

/** A page of a log. */
export interface LogPage {
  readonly lines: readonly (LogLine & { readonly line: number })[];
  /** First line to ask for next. */
  readonly nextLine: number;
  /** Whether the attempt has ended and no line after these is there. */
  readonly complete: boolean;
}
