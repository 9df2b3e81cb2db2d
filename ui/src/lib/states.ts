/**
 * How a state looks: colour (a token), shape and word. The compiler holds it to exactly the states
 * of the server's contract; a run's states are among them.
 */

import type { TaskState } from "../../../src/api/contract.ts";

/** What the state icon draws, told apart without colour. */
export type Shape = "ring" | "dots" | "half" | "disc" | "cross" | "retry" | "clock" | "skip" | "blocked" | "dash";

interface Look {
  readonly word: string;
  readonly shape: Shape;
}

/** Every state of a task instance or a run. The colour is the token `--state-<state>`. */
export const STATE_LOOKS = {
  none: { word: "Not started", shape: "ring" },
  scheduled: { word: "Scheduled", shape: "dots" },
  queued: { word: "Queued", shape: "dots" },
  running: { word: "Running", shape: "half" },
  success: { word: "Success", shape: "disc" },
  failed: { word: "Failed", shape: "cross" },
  up_for_retry: { word: "Up for retry", shape: "retry" },
  up_for_reschedule: { word: "Up for reschedule", shape: "clock" },
  deferred: { word: "Deferred", shape: "clock" },
  skipped: { word: "Skipped", shape: "skip" },
  upstream_failed: { word: "Upstream failed", shape: "blocked" },
  removed: { word: "Removed", shape: "dash" },
} as const satisfies Record<TaskState, Look>;

/** The look of a state the server sent; a state without a look (a newer server) is shown as not started. */
export function lookOf(state: string | null): Look & { name: TaskState } {
  const name = (state !== null && Object.hasOwn(STATE_LOOKS, state) ? state : "none") as TaskState;
  return { name, ...STATE_LOOKS[name] };
}

/** States of tasks that have not ended and do not run. */
export const WAITING_STATES = [
  "none",
  "scheduled",
  "queued",
  "up_for_retry",
  "up_for_reschedule",
  "deferred",
] as const satisfies readonly TaskState[];

const UNFINISHED: ReadonlySet<string> = new Set([...WAITING_STATES, "running"]);

/** Whether a run or task in this state may still change by itself. */
export function isUnfinished(state: string | null): boolean {
  return state === null || UNFINISHED.has(state);
}
