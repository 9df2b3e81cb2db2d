/** Notifications in words. Pure. */
import type { Json } from "../dag/spec.ts";
import type { NotificationPayload } from "../metadata/notifications.ts";

/** A notification as a person reads it. */
export interface NotificationText {
  /** One line. */
  readonly subject: string;
  /** A line a fact. */
  readonly lines: readonly string[];
  /** Page of the web client, where its address is known. */
  readonly link: string | null;
}

/** Writes a notification. `baseUrl` = where the web client is, e.g. `http://127.0.0.1:8080`; null = not known. */
export function textOf(payload: NotificationPayload, baseUrl: string | null): NotificationText {
  const { reason, note, retry_at: retryAt, due_at: dueAt, failed_tasks: failed } = payload;
  const facts: [string, Json | undefined][] = [
    ["Run", payload.run_id],
    ["Logical date", payload.logical_date],
    ["Task", payload.task_id === undefined ? undefined : taskName(payload)],
    ["Try", payload.try_number],
    ["State", payload.state],
    ["Reason", reason],
    ["Error", errorText(payload.error)],
    ["Failed tasks", Array.isArray(failed) && failed.length > 0 ? failed.join(", ") : undefined],
    ["Service", payload.service_id],
    ["Failures on end", payload.failures],
    ["Records behind", payload.lag],
    ["Since", payload.since],
    ["Was due", dueAt],
    ["Next try", retryAt],
    ["File", fileText(payload)],
    ["Note", note],
    ["At", payload.at],
  ];
  return {
    subject: subjectOf(payload),
    lines: facts.flatMap(([name, value]) => (value === undefined || value === null ? [] : [`${name}: ${value}`])),
    link: linkOf(payload, baseUrl),
  };
}

function subjectOf(payload: NotificationPayload): string {
  const { event, dag_id: dag, run_id: run, service_id: service } = payload;
  switch (event) {
    case "runFailed":
      return `${dag}: run ${run} ${payload.cancelled ? "was cancelled" : "failed"}`;
    case "runSucceeded":
      return `${dag}: run ${run} succeeded`;
    case "taskFailed":
      return `${dag}: task ${taskName(payload)} failed in run ${run}`;
    case "taskRetry":
      return `${dag}: task ${taskName(payload)} is tried again in run ${run}`;
    case "deadlineMissed":
      return payload.task_id === undefined
        ? `${dag}: run ${run} is late`
        : `${dag}: task ${taskName(payload)} is late in run ${run}`;
    case "serviceFailing":
      return `service ${service} keeps failing`;
    case "serviceLagging":
      return `service ${service} is behind`;
    case "serviceRecovered":
      return `service ${service} is well again`;
    default:
      return `${dag}: its file cannot be loaded`;
  }
}

function taskName({ task_id: task, map_index: index }: NotificationPayload): string {
  return typeof index === "number" && index >= 0 ? `${task}[${index}]` : String(task);
}

function errorText(error: Json | undefined): string | undefined {
  if (typeof error !== "object" || error === null || Array.isArray(error)) return undefined;
  return `${error.code}: ${error.message}`;
}

function fileText({ file, line }: NotificationPayload): string | undefined {
  if (typeof file !== "string") return undefined;
  return typeof line === "number" ? `${file}:${line}` : file;
}

function linkOf(
  { dag_id: dag = "", run_id: run, task_id: task, service_id: service }: NotificationPayload,
  baseUrl: string | null,
): string | null {
  if (baseUrl === null) return null;
  if (service !== undefined) return new URL(`/services/${encodeURIComponent(service)}`, baseUrl).href;
  const path = `/dags/${encodeURIComponent(dag)}${typeof run === "string" ? `/runs/${encodeURIComponent(run)}` : ""}`;
  const search = typeof task === "string" ? `?task=${encodeURIComponent(task)}` : "";
  return new URL(path + search, baseUrl).href;
}
