/** What a guard is. */

/** A condition, lock or clause without which work is lost or doubled. Its line carries `guard: <name>`. */
export interface Guard {
  readonly name: string;
  /** Path from the root of the checkout. */
  readonly file: string;
  /** What holds the guard: on the line of its mark, or in one of the statements right below. */
  readonly text: string;
  /** What stands there without it. */
  readonly without: string;
  /** Test files of which at least one fails without it. */
  readonly tests: readonly string[];
}
