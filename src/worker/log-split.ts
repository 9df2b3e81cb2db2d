/** Turns the bytes a child process writes into log records: lines as they come, and framed records of its own. */

import type { LogLine } from "../metadata/work.ts";

/** What a framed line of a child says: lines of an attempt, or that an attempt writes no more on this stream. */
export type Frame = { attempt: string; line: LogLine } | { attempt: string; end: true };

/** What the splitter calls. */
export interface SplitterEvents {
  line(text: string, bytesCut: number): void;
  frame(frame: Frame): void;
}

/** Longest line that is kept, in bytes; with the note that it was cut it stays within 64 kB. */
export const MAX_LINE_BYTES = 64 * 1024 - 64;
/** A framed record may be longer than a line: its text is escaped. */
const MAX_FRAME_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** First bytes of a framed line. The nonce keeps a task's own output from being taken for one. */
export function framePrefix(nonce: string): string {
  return `\x1e${nonce}`;
}

/** A framed line. It begins with a newline of its own, so that it never continues what was written before. */
export function encodeFrame(nonce: string, frame: Frame): string {
  return `\n${framePrefix(nonce)}${JSON.stringify(frame)}\n`;
}

/** Splits a stream of bytes; memory stays flat however long a line is. */
export class LogSplitter {
  readonly #prefix: Buffer;
  readonly #events: SplitterEvents;
  #parts: Buffer[] = [];
  #kept = 0;
  #cut = 0;
  #blankPending = false;

  constructor(nonce: string, events: SplitterEvents) {
    this.#prefix = Buffer.from(framePrefix(nonce));
    this.#events = events;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      this.#keep(chunk.subarray(from, at));
      this.#finishLine();
      from = at + 1;
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
  }

  /** The stream has ended: what has no newline is a line too. */
  end(): void {
    if (this.#kept > 0) this.#finishLine();
    this.#flushBlank();
  }

  #keep(part: Buffer): void {
    const room = MAX_FRAME_BYTES - this.#kept;
    const kept = part.length > room ? part.subarray(0, room) : part;
    this.#cut += part.length - kept.length;
    if (kept.length === 0) return;
    // A copy: a slice would hold the whole chunk of the stream in memory.
    this.#parts.push(Buffer.from(kept));
    this.#kept += kept.length;
  }

  #finishLine(): void {
    const bytes = this.#parts.length === 1 ? (this.#parts[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#parts);
    const cut = this.#cut;
    this.#parts = [];
    this.#kept = 0;
    this.#cut = 0;
    const frame = cut === 0 ? this.#frameOf(bytes) : null;
    if (frame) {
      this.#blankPending = false;
      this.#events.frame(frame);
      return;
    }
    this.#flushBlank();
    if (bytes.length === 0) this.#blankPending = true;
    else this.#emit(bytes, cut);
  }

  /** The newline before a frame is the frame's, not the task's: a blank line waits for what follows. */
  #flushBlank(): void {
    if (this.#blankPending) this.#events.line("", 0);
    this.#blankPending = false;
  }

  #emit(bytes: Buffer, alreadyCut: number): void {
    const end = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
    this.#events.line(bytes.toString("utf8", 0, end), alreadyCut);
  }

  #frameOf(bytes: Buffer): Frame | null {
    if (
      bytes.length <= this.#prefix.length ||
      bytes.compare(this.#prefix, 0, this.#prefix.length, 0, this.#prefix.length) !== 0
    ) {
      return null;
    }
    try {
      return JSON.parse(bytes.toString("utf8", this.#prefix.length)) as Frame;
    } catch {
      return null;
    }
  }
}
