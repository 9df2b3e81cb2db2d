/** How a task is tried again: from its options to the compiled spec. */
import { dagError } from "./call-site.ts";
import type { TaskDeclaration } from "./declare.ts";
import { type Duration, milliseconds } from "./duration.ts";
import type { RetryAction, RetrySpec } from "./spec.ts";

/** What becomes of a task that failed with an error of some kind. */
export type RetryChoice =
  /** Counts as a try. */
  | "retryable"
  /** Is not tried again. */
  | "fatal"
  /** Is tried again without counting, up to ten times: the fault of the machinery around the task. */
  | "infra"
  /** Counts as a try, and the next one is not before this. */
  | { readonly after: Duration };

const CHOICES: ReadonlySet<unknown> = new Set(["retryable", "fatal", "infra"]);

/** The retry spec of a declared task; `retries` is checked by the caller. Throws DAG_INVALID. */
export function retryOf({ options, ref, at }: TaskDeclaration, retries: number): RetrySpec {
  const { factor = 2, max = "5m", jitter = "none" } = options.backoff ?? {};
  if (!(factor >= 1)) throw dagError(`task ${ref.id}: backoff.factor ${factor} is less than 1`, at);
  if (jitter !== "none" && jitter !== "full")
    throw dagError(`task ${ref.id}: backoff.jitter ${JSON.stringify(jitter)} is neither "none" nor "full"`, at);
  const policy = Object.entries(options.retryPolicy ?? {}).map(([kind, choice]): [string, RetryAction] => {
    const what = `task ${ref.id}: retryPolicy.${kind}`;
    if (typeof choice === "object" && choice !== null) return [kind, { afterMs: milliseconds(choice.after, what) }];
    if (CHOICES.has(choice)) return [kind, choice];
    throw dagError(
      `${what} is ${JSON.stringify(choice)}`,
      at,
      'Write "retryable", "fatal", "infra" or { after: "1m" }.',
    );
  });
  return {
    retries,
    delayMs: milliseconds(options.retryDelay ?? "1s", `task ${ref.id}: retryDelay`),
    factor,
    maxMs: milliseconds(max, `task ${ref.id}: backoff.max`),
    jitter,
    ...(policy.length === 0 ? {} : { policy: Object.fromEntries(policy) }),
  };
}
