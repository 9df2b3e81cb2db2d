/** From what a check found to what becomes of the wait: its end, or when it is looked at again. Pure. */
import type { Json } from "../dag/spec.ts";
import { messageOf, QflowError } from "../errors.ts";
import type { Masker } from "../metadata/secrets/mask.ts";
import { sensorTimedOut } from "../metadata/sensor-timeout.ts";
import type { LeasedWait, RearmedWait, WaitOutcome } from "../metadata/waits.ts";
import type { LogAppend, LogLine } from "../metadata/work.ts";
import type { Checked, Prepared } from "../operators/check.ts";

/** What becomes of one wait. */
export interface WaitAnswer {
  readonly next: { readonly end: WaitOutcome } | { readonly rearm: RearmedWait };
  /** What its log says about it; null = nothing new. */
  readonly log: LogAppend | null;
}

/** The wait has a condition now. */
export function prepared(wait: LeasedWait, { condition, key, resource, checkAt, note }: Prepared<Json>): WaitAnswer {
  const text = `waits ${note}`;
  const rearm = {
    ...rearmOf(wait, text),
    condition,
    key: key ?? null,
    resource: resource ?? null,
    wakeInMs: checkAt === undefined ? 0 : null,
    wakeAt: checkAt ?? null,
    checked: false,
  };
  const log = lineOf(wait, "info", text);
  return { next: { rearm: { ...rearm, logLines: wait.logLines + 1 } }, log };
}

/** A condition was looked at. */
export function checked(wait: LeasedWait, found: Checked<Json>): WaitAnswer {
  if (found.state === "met") {
    const events = wait.emits.map((dataset) => ({ dataset }));
    return end(wait, { state: "success", value: found.value, events }, `met after ${seconds(wait.waitedMs)}`);
  }
  if (found.state === "failed") return failed(wait, found.error);
  if (wait.late) return timedOut(wait, found.note);
  const next = found.condition === undefined ? wait : { ...wait, condition: found.condition };
  return again(next, found.note, found.next === "wake" ? null : paceMs(wait));
}

/** Preparing or looking threw. What is fatal ends the wait; everything else may be better at the next check. */
export function failed(wait: LeasedWait, error: unknown): WaitAnswer {
  if (error instanceof QflowError && error.retry === "fatal") {
    const { code, message, remedy } = error;
    const text = `${code}: ${message}\n${remedy}`;
    return end(wait, { state: "failed", retry: "fatal", error: { code, message, remedy } }, text);
  }
  if (wait.late) return timedOut(wait, messageOf(error));
  return again(wait, `the check failed: ${messageOf(error)}`, paceMs(wait));
}

/** The scheduler stops: another one, or the next, looks at once. */
export function handedBack(wait: LeasedWait): WaitAnswer {
  return { next: { rearm: { ...rearmOf(wait, wait.note), wakeInMs: 0, checked: false } }, log: null };
}

function timedOut(wait: LeasedWait, note: string): WaitAnswer {
  const outcome = sensorTimedOut(wait.sensor, `it waited ${seconds(wait.timeoutMs)}; last seen: ${note}`);
  return end(wait, outcome, outcome.state === "skipped" ? outcome.reason : outcome.error.message);
}

type Ending = WithoutIds<WaitOutcome>;
type WithoutIds<T> = T extends unknown ? Omit<T, "attemptId" | "token"> : never;

function end(wait: LeasedWait, ending: Ending, text: string): WaitAnswer {
  const { attemptId, token } = wait;
  return {
    next: { end: { attemptId, token, ...ending } },
    log: lineOf(wait, ending.state === "failed" ? "error" : "info", text),
  };
}

/** A note that is the same as before is not logged again: a wait of days has a short log. */
function again(wait: LeasedWait, note: string, wakeInMs: number | null): WaitAnswer {
  const rearm = { ...rearmOf(wait, note), wakeInMs };
  if (note === wait.note) return { next: { rearm }, log: null };
  return { next: { rearm: { ...rearm, logLines: wait.logLines + 1 } }, log: lineOf(wait, "info", note) };
}

function rearmOf(wait: LeasedWait, note: string | null): RearmedWait {
  const { taskInstanceId, lease, condition, key, resource, logLines } = wait;
  return {
    taskInstanceId,
    lease,
    condition,
    key,
    resource,
    logLines,
    note,
    wakeInMs: null,
    wakeAt: null,
    checked: true,
  };
}

/** The same without secrets, but for the value, which is the task's own. */
export function masked({ next, log }: WaitAnswer, { mask }: Masker): WaitAnswer {
  const hidden = log && { ...log, lines: log.lines.map((line) => ({ ...line, text: mask(line.text) })) };
  if ("rearm" in next) {
    const { note } = next.rearm;
    return { next: { rearm: { ...next.rearm, note: note === null ? null : mask(note) } }, log: hidden };
  }
  return { next: { end: maskedEnd(next.end, mask) }, log: hidden };
}

function maskedEnd(end: WaitOutcome, mask: (text: string) => string): WaitOutcome {
  if (end.state === "skipped") return { ...end, reason: mask(end.reason) };
  if (end.state === "success") return end;
  return { ...end, error: { ...end.error, message: mask(end.error.message) } };
}

/** Time until the check after this one. */
export function paceMs({ sensor, polls }: Pick<LeasedWait, "sensor" | "polls">): number {
  return Math.min(sensor.maxMs, sensor.everyMs * sensor.factor ** Math.min(polls, 60));
}

function lineOf(wait: LeasedWait, level: LogLine["level"], text: string): LogAppend {
  const at = wait.at.toISOString();
  const lines = text
    .replaceAll("\0", "\u2400")
    .split("\n")
    .map((part) => ({ at, level, text: part }));
  return { attemptId: wait.attemptId, token: wait.token, firstLine: wait.logLines + 1, lines };
}

function seconds(ms: number): string {
  const whole = Math.round(ms / 1000);
  if (whole < 120) return `${whole} s`;
  return whole < 7200 ? `${Math.round(whole / 60)} min` : `${Math.round(whole / 360) / 10} h`;
}
