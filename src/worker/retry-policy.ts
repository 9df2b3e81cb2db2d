/** What a task's own retry policy makes of a failure. */
import type { RetryAction } from "../dag/spec.ts";
import type { TaskResult } from "./protocol.ts";

/** Every other error that would count as a try. */
const REST = "*";

/**
 * The result under the task's policy. `classes` are the names of the classes of what was thrown, the narrowest first; they come
 * before the error's code, and that before `*`.
 */
export function underPolicy(
  result: TaskResult,
  policy: Readonly<Record<string, RetryAction>> | null,
  classes: readonly string[] = [],
): TaskResult {
  if (result.state !== "failed" || result.handBack || policy === null) return result;
  const named = [...classes, result.error.code].find((name) => Object.hasOwn(policy, name));
  const key = named ?? (result.retry === "retryable" ? REST : undefined);
  const action = key !== undefined && Object.hasOwn(policy, key) ? policy[key] : undefined;
  if (action === undefined) return result;
  if (typeof action === "string") return { ...result, retry: action };
  return { ...result, retry: "retryable", retryAfterMs: action.afterMs };
}

/** Names of the classes of an error, the narrowest first; what every error is says nothing. */
export function classesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const names: string[] = [];
  for (let here = Object.getPrototypeOf(error); here !== Error.prototype && here !== null; ) {
    names.push((here as { constructor: { name: string } }).constructor.name);
    here = Object.getPrototypeOf(here);
  }
  // A class is called after its place in the code; the name is what its author calls it.
  return [...new Set([...names, error.name])].filter((name) => name !== "Error" && name !== "");
}
