/**
 * The life of a task instance: state → move → state. The guard in the database (`migrations/functions/states.sql`) lets exactly
 * these pairs through; a test compares the two.
 */
export const TASK_MOVES = {
  /** Not decided yet: waits for its upstreams. `succeed` is what a person declares. */
  none: {
    schedule: "scheduled",
    queue: "queued",
    skip: "skipped",
    failUpstream: "upstream_failed",
    fail: "failed",
    succeed: "success",
    remove: "removed",
  },
  /** A mapped item that may run: waits for its map's window. */
  scheduled: { queue: "queued", cancel: "skipped", fail: "failed" },
  /** Ready: waits for a worker, or (a sensor that needs none) for the scheduler. */
  queued: { claim: "running", cancel: "skipped", fail: "failed", defer: "deferred" },
  /** A worker has it. `release` hands it back untried. */
  running: {
    succeed: "success",
    fail: "failed",
    skip: "skipped",
    retry: "up_for_retry",
    release: "queued",
    reschedule: "up_for_reschedule",
  },
  /** Failed, and is tried again when its time comes. */
  up_for_retry: { queue: "queued", cancel: "skipped" },
  /** A sensor's function said "not yet", and is called again when its time comes. */
  up_for_reschedule: { queue: "queued", skip: "skipped", fail: "failed" },
  /** Waits for something outside; the scheduler checks, and no worker has it. */
  deferred: { succeed: "success", fail: "failed", skip: "skipped" },
  success: { clear: "none" },
  failed: { clear: "none" },
  skipped: { clear: "none" },
  upstream_failed: { clear: "none" },
  /** The version its run was bound to has no such task. */
  removed: { clear: "none" },
} as const;

/** State of a task instance. */
export type TaskState = keyof typeof TASK_MOVES;

/** State in which nothing more happens to an instance by itself. */
export type FinalTaskState = "success" | "failed" | "skipped" | "upstream_failed" | "removed";

/** Every state, in the order of a life. */
export const TASK_STATES = Object.keys(TASK_MOVES) as TaskState[];

/** The states of {@link FinalTaskState}. */
export const FINAL_TASK_STATES: ReadonlySet<TaskState> = new Set<FinalTaskState>([
  "success",
  "failed",
  "skipped",
  "upstream_failed",
  "removed",
]);

/** States of a DAG run. */
export const RUN_STATES = ["queued", "running", "success", "failed"] as const;
/** State of a DAG run. */
export type RunState = (typeof RUN_STATES)[number];

/** Every legal `from>to`, as the database's guard writes it. */
export function legalMoves(): string[] {
  return Object.entries(TASK_MOVES).flatMap(([from, moves]) => Object.values(moves).map((to) => `${from}>${to}`));
}
