/** From what a task function or operator returned or threw to how its attempt ended. */
import { Fail, RetryAfter, Skip } from "../dag/signals.ts";
import type { Json } from "../dag/spec.ts";
import { ERROR_CODES, type ErrorCode, QflowError } from "../errors.ts";
import type { ClaimedTask, EmittedEvent, FailureReport } from "../metadata/work.ts";
import { checkJson } from "./json-check.ts";
import type { TaskResult } from "./protocol.ts";
import { classesOf, underPolicy } from "./retry-policy.ts";

/** Longest message of a failure that is stored, in characters; the log has all of it. */
const LONGEST_MESSAGE = 4000;

/** The result of a task that returned. Throws RESULT_NOT_JSON, RESULT_TOO_LARGE and BRANCH_INVALID. */
export function resultOf(task: ClaimedTask, returned: unknown, emitted: readonly EmittedEvent[]): TaskResult {
  const value = checkJson(returned);
  if (task.kind === "sensor" && (value === null || value === false)) return { state: "up_for_reschedule" };
  const events = emitted.map((event) =>
    event.extra === undefined ? event : { ...event, extra: checkJson(event.extra) },
  );
  if (task.kind === "branch") return { state: "success", value, events, branch: branchOf(task, value) };
  if (task.kind === "shortCircuit") return { state: "success", value, events, proceed: proceedOf(task, value) };
  return { state: "success", value, events };
}

/** The events of a success: those that were emitted, and one of every declared dataset of which none was. */
export function withDeclared(task: ClaimedTask, emitted: readonly EmittedEvent[]): EmittedEvent[] {
  const silent = task.emits.filter((dataset) => !emitted.some((event) => event.dataset === dataset));
  return [...emitted, ...silent.map((dataset) => ({ dataset }))];
}

function branchOf(task: ClaimedTask, value: Json): string[] {
  const chosen = Array.isArray(value) ? value : value === null ? [] : [value];
  const allowed = Object.keys(task.branchTargets);
  for (const name of chosen) {
    if (typeof name !== "string") refuseBranch(task, `returned ${JSON.stringify(name)}, which is no name`);
    // Without named targets any direct downstream may be chosen: the database knows which those are.
    if (allowed.length > 0 && !allowed.includes(name)) {
      refuseBranch(task, `chose ${JSON.stringify(name)}, which is none of its targets: ${allowed.join(", ")}`);
    }
  }
  return chosen as string[];
}

function proceedOf(task: ClaimedTask, value: Json): boolean {
  if (typeof value === "boolean") return value;
  throw new QflowError(
    "BRANCH_INVALID",
    `short circuit ${task.taskId} returned ${describe(value)}, not true or false`,
    {
      remedy: "Return true to go on, false to skip everything downstream.",
    },
  );
}

function refuseBranch(task: ClaimedTask, what: string): never {
  throw new QflowError("BRANCH_INVALID", `branch ${task.taskId} ${what}`);
}

function describe(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** The result of a task that threw, under its retry policy. What it said itself about another try comes first. */
export function resultOfError(error: unknown, policy: ClaimedTask["retryPolicy"]): TaskResult {
  if (error instanceof RetryAfter) {
    const { afterMs, message } = error;
    return { state: "failed", retry: "retryable", retryAfterMs: afterMs, error: report("TASK_FAILED", message) };
  }
  if (error instanceof Skip) return { state: "skipped", reason: error.message || "the task skipped itself" };
  if (error instanceof Fail) return { state: "failed", retry: "fatal", error: report("TASK_FAILED", error.message) };
  return underPolicy(failureOf(error), policy, error instanceof QflowError ? [] : classesOf(error));
}

function failureOf(error: unknown): TaskResult {
  if (error instanceof QflowError) {
    const { code, message, remedy, details, retry } = error;
    const { retryAfterMs: after } = details;
    const wait = typeof after === "number" ? { retryAfterMs: after } : {};
    return { state: "failed", retry, ...wait, error: report(code, message, remedy, details) };
  }
  return { state: "failed", retry: "retryable", error: report("TASK_FAILED", textOf(error)) };
}

/** A failure as it is stored. */
export function report(
  code: ErrorCode,
  message: string,
  remedy: string = ERROR_CODES[code].remedy,
  details: Readonly<Record<string, unknown>> = {},
): FailureReport {
  const text = message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE)}…` : message;
  return { code, message: text.replaceAll("\0", ""), remedy, ...detailsOf(details) };
}

function detailsOf(details: Readonly<Record<string, unknown>>): { details?: Readonly<Record<string, unknown>> } {
  if (Object.keys(details).length === 0) return {};
  try {
    return { details: checkJson(details) as Record<string, Json> };
  } catch {
    // Details are a help, never a reason to lose the failure itself.
    return {};
  }
}

function textOf(error: unknown): string {
  if (error instanceof Error) return error.name === "Error" ? error.message : `${error.name}: ${error.message}`;
  return `the task threw ${String(error)}`;
}

/** What the log shows of something thrown: with its stack and causes for a task's own errors. */
export function logTextOf(error: unknown): string {
  if (error instanceof QflowError)
    return [`${error.code}: ${error.message}`, error.remedy, ...causesOf(error)].join("\n");
  if (!(error instanceof Error)) return `thrown: ${String(error)}`;
  return [error.stack ?? `${error.name}: ${error.message}`, ...causesOf(error)].join("\n");
}

function causesOf(error: Error): string[] {
  const lines: string[] = [];
  for (let cause = error.cause, depth = 0; cause !== undefined && depth < 5; depth++) {
    lines.push(`caused by ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines;
}
