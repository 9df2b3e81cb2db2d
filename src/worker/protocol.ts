/** What a worker and its child processes (runners, host) say to each other over IPC. */
import type { Config } from "../config.ts";
import type { AttemptOutcome, ClaimedTask } from "../metadata/work.ts";
import type { Secrets } from "./secret-store.ts";

/** How an attempt ended, as its process sees it. */
export type TaskResult = WithoutIds<AttemptOutcome>;
type WithoutIds<T> = T extends unknown ? Omit<T, "attemptId" | "token" | "exit"> : never;

/** Why an attempt is asked to stop. */
export type StopReason = "cancelled" | "timeout" | "fenced" | "shutdown";

/** First message to a runner. `nonce` marks framed log lines. */
export interface RunnerInit {
  type: "init";
  nonce: string;
}

/** First message to the host. */
export interface HostInit {
  type: "init";
  nonce: string;
  config: Config;
  databaseUrl: string;
}

/** Worker → child. `bundlePath` is null for operators. */
export type ToChild<Init> =
  | Init
  /** What the attempts that start after it may ask for. */
  | { type: "secrets"; secrets: Secrets }
  | { type: "prepare"; bundlePath: string }
  | { type: "run"; task: ClaimedTask; bundlePath: string | null }
  | { type: "stop"; attemptId: string; reason: StopReason }
  /** To the host: nothing needs it. */
  | { type: "rest" };

/** Child → worker. `unsound` = the process may hold leftovers of the attempt (a stray promise) and must not be reused. */
export type FromChild =
  | { type: "ready" }
  | { type: "prepared" }
  /** Answer to `rest`: it holds nothing that would be missed. */
  | { type: "idle" }
  /** Between two attempts something of an earlier one failed. */
  | { type: "unsound" }
  | { type: "done"; attemptId: string; result: TaskResult; unsound?: true };
