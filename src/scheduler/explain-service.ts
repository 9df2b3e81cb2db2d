/** Why a service does not run, in a sentence. Pure. */
import type { ServiceRow } from "../metadata/views/service-views.ts";

/** What the sentence is made from. */
export type ExplainedService = Pick<
  ServiceRow,
  | "service_id"
  | "state"
  | "file"
  | "queue"
  | "workers"
  | "restart_at"
  | "failures"
  | "last_error"
  | "reason"
  | "fenced_until"
  | "seen_at"
>;

/** Why it does not run (or not any more, or not yet); null = it runs. */
export function explainService(service: ExplainedService): string | null {
  const { state, reason, restart_at: restartAt } = service;
  switch (state) {
    case "running":
      return null;
    case "starting":
      return "Its program has started and has given no sign of life yet.";
    case "draining":
      return `It finishes what it has in hand, and ends: ${reason ?? "it is to end"}.`;
    case "paused":
      return `It is paused. Resume it with \`qflow services resume ${service.service_id}\`.`;
    case "stopped":
      return `No DAG file declares it any more; it was in ${service.file}.`;
    case "backoff":
      return `It failed${service.failures > 1 ? ` ${service.failures} times on end` : ""} and starts again at ${restartAt?.toISOString()}${said(service)}`;
    case "waiting":
      return waiting(service);
  }
}

function waiting({ workers, queue, fenced_until: fencedUntil }: ExplainedService): string {
  if (workers === 0) return `No living worker serves its queue, ${queue}.`;
  if (fencedUntil === null) return "A worker is about to start it.";
  return `The worker that ran it is gone. What it started may live until ${fencedUntil.toISOString()}; then another host may start it.`;
}

function said({ last_error: error }: ExplainedService): string {
  return error === null ? "." : `: ${error.message}`;
}
