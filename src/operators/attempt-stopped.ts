/** Why an attempt was told to end. */

/** `orphaned` = its worker is gone; with it and `shutdown` the task goes on in another attempt, otherwise its work is not wanted any more. */
export type StopCause = "cancelled" | "timeout" | "fenced" | "shutdown" | "orphaned";

/** The reason of the signal of an attempt that was stopped. */
export class AttemptStopped extends Error {
  readonly why: StopCause;

  constructor(why: StopCause) {
    super(why === "orphaned" ? "the worker is gone" : `the attempt was stopped: ${why}`);
    this.why = why;
  }
}
