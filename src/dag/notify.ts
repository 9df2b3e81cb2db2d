/** Options `deadline` and `notify` → their specs. */
import type { Deadline, Notify } from "./authoring.ts";
import { type CallSite, dagError } from "./call-site.ts";
import { milliseconds } from "./duration.ts";
import { type DeadlineSpec, type DeadlineStart, NOTIFY_EVENTS, type NotifySpec } from "./spec.ts";

const STARTS: readonly DeadlineStart[] = ["runStart", "queued", "logicalDate"];

/** The spec of a deadline; `what` names the option. Throws DAG_INVALID. */
export function deadlineOf(
  deadline: Deadline | undefined,
  what: string,
  at: CallSite | null,
): { deadline?: DeadlineSpec } {
  if (deadline === undefined) return {};
  const { after, from = "runStart", notify = [] } = deadline;
  const afterMs = milliseconds(after, `${what}.after`);
  if (!STARTS.includes(from)) {
    throw dagError(`${what}.from ${JSON.stringify(from)} is unknown`, at, `Write one of ${STARTS.join(", ")}.`);
  }
  return { deadline: { afterMs, from, notify: channels(notify, `${what}.notify`, at) } };
}

/** The spec of who is told of what. Throws DAG_INVALID. */
export function notifyOf(
  notify: Notify | readonly Notify[] | undefined,
  what: string,
  at: CallSite | null,
): { notify?: NotifySpec[] } {
  return notify === undefined ? {} : { notify: notifyRules(notify, NOTIFY_EVENTS, what, at) };
}

/** Rules of who is told which of `events`. Throws DAG_INVALID. */
export function notifyRules<E extends string>(
  notify: NotifyRule<E> | readonly NotifyRule<E>[] = [],
  events: readonly E[],
  what: string,
  at: CallSite | null,
): { on: E[]; to: string[] }[] {
  return many(notify).map(({ on, to }) => ({
    on: [...new Set(many(on))].map((event) => known(event, events, what, at)),
    to: channels(many(to), `${what}.to`, at),
  }));
}

interface NotifyRule<E extends string> {
  readonly on: E | readonly E[];
  readonly to: string | readonly string[];
}

function many<T extends string | object>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T];
}

function known<E extends string>(event: E, events: readonly E[], what: string, at: CallSite | null): E {
  if (events.includes(event)) return event;
  throw dagError(`${what}.on ${JSON.stringify(event)} is unknown`, at, `Write one of ${events.join(", ")}.`);
}

function channels(ids: readonly string[], what: string, at: CallSite | null): string[] {
  const wrong = ids.find((id) => typeof id !== "string" || !/^[A-Za-z0-9_.-]{1,250}$/.test(id));
  if (wrong === undefined) return [...new Set(ids)];
  throw dagError(`${what} ${JSON.stringify(wrong)} is no id of a connection`, at);
}
