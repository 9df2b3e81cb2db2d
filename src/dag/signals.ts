/** What a task function throws to end its attempt on purpose. */

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
