/** What a task function throws to end its attempt on purpose. */
import { type Duration, milliseconds } from "./duration.ts";

/** Ends the task as skipped. */
export class Skip extends Error {
  override readonly name = "Skip";

  /** `reason` is shown with the task. */
  constructor(reason = "the task skipped itself") {
    super(reason);
  }
}

/** Ends the task as failed, without any further try. */
export class Fail extends Error {
  override readonly name = "Fail";

  /** `reason` is shown with the task. */
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
  }
}

/** Ends the try as failed; the next one, where `retries` leave one, is not before `after` has passed. */
export class RetryAfter extends Error {
  override readonly name = "RetryAfter";
  readonly afterMs: number;

  /** `reason` is shown with the task. Throws DAG_INVALID where `after` is no duration. */
  constructor(after: Duration, reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.afterMs = milliseconds(after, "RetryAfter");
  }
}
