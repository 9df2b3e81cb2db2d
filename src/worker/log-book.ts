/** The log of one attempt: numbers its lines, hides secrets, cuts what is too long, and remembers what is not stored yet. */
import type { LogLine } from "../metadata/work.ts";
import { MAX_LINE_BYTES } from "./log-split.ts";
import type { Masker } from "./mask.ts";

/** Largest log that is kept whole, in bytes of text. */
export const MAX_LOG_BYTES = 256 * 1024 * 1024;
/** Of what comes after that, the last lines are kept. */
const TAIL_LINES = 1000;

/** Lines that are ready to be stored. */
export interface LogBatch {
  attemptId: string;
  token: string;
  firstLine: number;
  lines: LogLine[];
}

/** Limits of a book; tests lower them. */
export interface LogLimits {
  logBytes: number;
  tailLines: number;
}

/** Collects the lines of one attempt. */
export class LogBook {
  readonly #attempt: { attemptId: string; token: string };
  readonly #masker: Masker;
  readonly #limits: LogLimits;
  #nextLine = 1;
  #bytes = 0;
  #waiting: LogLine[] = [];
  #tail: LogLine[] = [];
  #dropped = 0;

  constructor(
    attempt: { attemptId: string; token: string },
    masker: Masker,
    limits: LogLimits = { logBytes: MAX_LOG_BYTES, tailLines: TAIL_LINES },
  ) {
    this.#attempt = attempt;
    this.#masker = masker;
    this.#limits = limits;
  }

  /** How many lines wait to be stored. */
  get waitingLines(): number {
    return this.#waiting.length;
  }

  /** Adds a line. `bytesCut` = how much of it the reader has dropped already. */
  add(line: LogLine, bytesCut = 0): void {
    const text = cutLine(this.#masker.mask(line.text.replaceAll("\0", "\u2400")), bytesCut);
    const kept = { ...line, text };
    if (this.#bytes < this.#limits.logBytes) {
      this.#bytes += Buffer.byteLength(text) + 1;
      this.#waiting.push(kept);
      return;
    }
    if (this.#tail.length === 0)
      this.#waiting.push(
        notice(line.at, "log cut here: it has reached its largest size; its last lines follow when it ends"),
      );
    this.#tail.push(kept);
    if (this.#tail.length > 2 * this.#limits.tailLines) this.#dropTail();
  }

  /** Takes the lines that wait to be stored. */
  take(): LogBatch | null {
    if (this.#waiting.length === 0) return null;
    const lines = this.#waiting;
    const firstLine = this.#nextLine;
    this.#waiting = [];
    this.#nextLine += lines.length;
    return { ...this.#attempt, firstLine, lines };
  }

  /** The attempt writes no more: the tail of a log that was cut is stored too. */
  close(): void {
    if (this.#tail.length === 0) return;
    this.#dropTail();
    const at = this.#tail[0]?.at ?? "";
    if (this.#dropped > 0) this.#waiting.push(notice(at, `${this.#dropped} lines are not shown`));
    this.#waiting.push(...this.#tail);
    this.#tail = [];
  }

  #dropTail(): void {
    const extra = Math.max(0, this.#tail.length - this.#limits.tailLines);
    this.#tail.splice(0, extra);
    this.#dropped += extra;
  }
}

function notice(at: string, text: string): LogLine {
  return { at, level: "warn", text };
}

function cutLine(text: string, alreadyCut: number): string {
  // Three bytes a UTF-16 unit at most: most lines need no count.
  if (alreadyCut === 0 && text.length * 3 <= MAX_LINE_BYTES) return text;
  const bytes = Buffer.from(text, "utf8");
  if (alreadyCut === 0 && bytes.length <= MAX_LINE_BYTES) return text;
  let end = MAX_LINE_BYTES;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return `${bytes.toString("utf8", 0, end)}… [line cut: ${bytes.length - end + alreadyCut} more bytes]`;
}
