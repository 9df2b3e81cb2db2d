/** Log batches that wait for the database: in memory at first, in a local file when it stays away. */
import { appendFileSync, closeSync, existsSync, openSync, readSync, rmSync, statSync, truncateSync } from "node:fs";
import type { LogBatch } from "./log-book.ts";

/** More than this is kept on disk, in bytes of text. */
const MEMORY_BYTES = 8 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

/** First in, first out. The file holds only what the database does not have; it is deleted as soon as it has been read. */
export class LogBacklog {
  readonly #file: string;
  readonly #memoryBytes: number;
  #head: LogBatch[] = [];
  #headBytes = 0;
  #offset = 0;
  #onDisk = 0;

  constructor(file: string, memoryBytes: number = MEMORY_BYTES) {
    this.#file = file;
    this.#memoryBytes = memoryBytes;
    rmSync(file, { force: true });
  }

  get isEmpty(): boolean {
    return this.#head.length === 0 && this.#onDisk === 0;
  }

  /** Throws what writing the file throws (disk full); the batch is then not kept. */
  push(batch: LogBatch): void {
    const bytes = sizeOf(batch);
    if (this.#onDisk === 0 && this.#headBytes + bytes <= this.#memoryBytes) {
      this.#head.push(batch);
      this.#headBytes += bytes;
      return;
    }
    this.#append(`${JSON.stringify(batch)}\n`);
    this.#onDisk++;
  }

  /** The oldest batches, about `bytes` of text, at least one when there is one; they stay until {@link drop}. */
  peek(bytes: number): LogBatch[] {
    if (this.#head.length === 0 && this.#onDisk > 0) this.#load();
    let size = 0;
    const end = this.#head.findIndex((batch) => {
      size += sizeOf(batch);
      return size > bytes;
    });
    return end === -1 ? this.#head.slice() : this.#head.slice(0, Math.max(1, end));
  }

  /** Forgets the oldest `count` batches. */
  drop(count: number): void {
    for (const batch of this.#head.splice(0, count)) this.#headBytes -= sizeOf(batch);
  }

  /** Forgets everything, also on disk. */
  clear(): void {
    this.#head = [];
    this.#headBytes = 0;
    this.#forgetFile();
  }

  /** A disk that fills up takes the beginning of a line: without its end it would spoil the next one. */
  #append(line: string): void {
    const whole = statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0;
    try {
      appendFileSync(this.#file, line, { mode: 0o600 });
    } catch (error) {
      if (existsSync(this.#file)) truncateSync(this.#file, whole);
      throw error;
    }
  }

  #load(): void {
    for (const text of readLines(this.#file, this.#offset)) {
      const batch = JSON.parse(text) as LogBatch;
      this.#offset += Buffer.byteLength(text) + 1;
      this.#onDisk--;
      this.#head.push(batch);
      this.#headBytes += sizeOf(batch);
    }
    if (this.#onDisk === 0) this.#forgetFile();
  }

  #forgetFile(): void {
    this.#offset = 0;
    this.#onDisk = 0;
    rmSync(this.#file, { force: true });
  }
}

/** Whole lines from an offset: about a megabyte of them, and always at least one. */
function readLines(file: string, offset: number): string[] {
  if (!existsSync(file)) return [];
  const descriptor = openSync(file, "r");
  try {
    for (let length = READ_BYTES; ; length *= 2) {
      const buffer = Buffer.alloc(Math.min(length, statSync(file).size - offset));
      const read = readSync(descriptor, buffer, 0, buffer.length, offset);
      const end = buffer.lastIndexOf(NEWLINE, read - 1);
      if (end >= 0) return buffer.toString("utf8", 0, end).split("\n");
      if (read < length) return [];
    }
  } finally {
    closeSync(descriptor);
  }
}

function sizeOf(batch: LogBatch): number {
  let bytes = 0;
  for (const line of batch.lines) bytes += line.text.length + 40;
  return bytes;
}
