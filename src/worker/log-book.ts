/** The log of one attempt: numbers its lines, hides secrets, cuts what is too long, and remembers what is not stored yet. */

import type { Masker } from "../metadata/secrets/mask.ts";
import type { LogLine } from "../metadata/work.ts";
import { LineJoiner, type WaitingLine } from "./line-joiner.ts";
import { MAX_LINE_BYTES } from "./log-split.ts";

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

interface LogOwner {
  attemptId: string;
  token: string;
}

/** Collects the lines of one attempt. */
export class LogBook {
  readonly #attempt: LogOwner;
  readonly #masker: Masker;
  readonly #limits: LogLimits;
  #nextLine: number;
  #bytes = 0;
  readonly #joiner: LineJoiner;
  #waiting: WaitingLine[] = [];
  #tail: WaitingLine[] = [];
  #dropped = 0;
  /** Lines that could not be kept, and why; told at the next take, in their place. */
  #lost: { lines: number; reason: string } | null = null;
  /** Of the last batch: how many lost lines it told of. */
  #told = 0;
  /** Lines that were held back at the last take; they are not held back again. */
  #held = 0;
  #closed = false;

  constructor(
    { firstLogLine = 1, attemptId, token }: LogOwner & { firstLogLine?: number },
    masker: Masker,
    limits: LogLimits = { logBytes: MAX_LOG_BYTES, tailLines: TAIL_LINES },
  ) {
    this.#attempt = { attemptId, token };
    this.#nextLine = firstLogLine;
    this.#masker = masker;
    this.#limits = limits;
    this.#joiner = new LineJoiner(masker);
  }

  /** How many lines wait to be stored. */
  get waitingLines(): number {
    return this.#waiting.length;
  }

  /** Adds a line. `bytesCut` = how much of it the reader has dropped already. */
  add(line: LogLine, bytesCut = 0): void {
    const text = cutLine(this.#masker.mask(line.text.replaceAll("\0", "\u2400")), bytesCut);
    const kept = { ...line, text };
    this.#joiner.add(kept);
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

  /** Takes the lines that wait to be stored; once, those that may begin a secret are left for the next time. */
  take(): LogBatch | null {
    const ready = this.#ready();
    const lines: LogLine[] = this.#waiting.slice(0, ready);
    this.#waiting = this.#waiting.slice(ready);
    this.#held = this.#waiting.length;
    this.#told = this.#lost?.lines ?? 0;
    if (this.#lost) lines.unshift(notice(now(), `${this.#lost.lines} lines are not here: ${this.#lost.reason}`));
    this.#lost = null;
    if (lines.length === 0) return null;
    const firstLine = this.#nextLine;
    this.#nextLine += lines.length;
    return { ...this.#attempt, firstLine, lines };
  }

  /** The batch taken last could not be kept: what comes next takes its numbers, and says so first. */
  lose(batch: LogBatch, reason: string): void {
    this.#nextLine = batch.firstLine;
    const own = this.#told > 0 ? batch.lines.length - 1 : batch.lines.length;
    this.#lost = { lines: this.#told + own, reason };
  }

  /** Whether lines are lost that the log does not tell of yet. */
  get hasLost(): boolean {
    return this.#lost !== null;
  }

  /** The attempt writes no more: the tail of a log that was cut is stored too. */
  close(): void {
    this.#closed = true;
    if (this.#tail.length === 0) return;
    this.#dropTail();
    const at = this.#tail[0]?.at ?? "";
    if (this.#dropped > 0) this.#waiting.push(notice(at, `${this.#dropped} lines are not shown`));
    this.#waiting.push(...this.#tail);
    this.#tail = [];
  }

  /** How many of the waiting lines can go. */
  #ready(): number {
    const open = this.#joiner.openLines();
    const first = open.size === 0 ? -1 : this.#waiting.findIndex((line) => open.has(line));
    if (first < 0) return this.#waiting.length;
    if (!this.#closed && first >= this.#held) return first;
    this.#joiner.giveUp();
    return this.#waiting.length;
  }

  #dropTail(): void {
    const extra = Math.max(0, this.#tail.length - this.#limits.tailLines);
    this.#tail.splice(0, extra);
    this.#dropped += extra;
  }
}

function now(): string {
  return new Date().toISOString();
}

function notice(at: string, text: string): WaitingLine {
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
