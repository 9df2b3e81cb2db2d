/** What a program prints: cut into lines for the log, its end kept for the failure, and, where wanted, kept whole. */

/** Longest line, in bytes; longer ones are logged in pieces. */
const LONGEST_LINE = 32_768;
/** Lines that are logged; after that only the end is. */
const LOGGED_LINES = 100_000;
const LAST_LINES = 20;

/** One stream of a program. */
export class ProgramStream {
  readonly #log: (line: string) => void;
  #rest: Buffer = Buffer.alloc(0);
  #lines = 0;
  readonly last: string[] = [];

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  /** Takes what came. */
  push(portion: Buffer): void {
    let text = this.#rest.length === 0 ? portion : Buffer.concat([this.#rest, portion]);
    for (;;) {
      const at = text.indexOf(10);
      if (at < 0 && text.length < LONGEST_LINE) break;
      const isWhole = at >= 0 && at <= LONGEST_LINE;
      this.#line(text.subarray(0, isWhole ? at : LONGEST_LINE));
      text = text.subarray(isWhole ? at + 1 : LONGEST_LINE);
    }
    this.#rest = text;
  }

  /** The stream has ended. */
  end(): void {
    if (this.#rest.length > 0) this.#line(this.#rest);
    this.#rest = Buffer.alloc(0);
    if (this.#lines <= LOGGED_LINES) return;
    this.#log(`… ${this.#lines - LOGGED_LINES} more lines, of which these are the last:`);
    for (const line of this.last) this.#log(line);
  }

  #line(bytes: Buffer): void {
    const line = bytes.toString("utf8").replace(/\r$/, "");
    this.#lines++;
    this.last.push(line);
    if (this.last.length > LAST_LINES) this.last.shift();
    if (this.#lines <= LOGGED_LINES) this.#log(line);
  }
}

/** Keeps output up to a size. */
export class KeptOutput {
  readonly #most: number;
  readonly #portions: Buffer[] = [];
  #bytes = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether there was more than may be kept. */
  get isTooLarge(): boolean {
    return this.#bytes > this.#most;
  }

  push(portion: Buffer): void {
    this.#bytes += portion.length;
    if (!this.isTooLarge) this.#portions.push(portion);
  }

  get text(): string {
    return Buffer.concat(this.#portions).toString("utf8");
  }
}
