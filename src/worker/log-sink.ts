/** Stores the logs of all attempts of a worker: numbered lines, in batches, at most a fifth of a second late. */
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../errors.ts";
import type { Masker } from "../metadata/secrets/mask.ts";
import type { LogAppend, LogLine } from "../metadata/work.ts";
import { backoff } from "./backoff.ts";
import type { LogBacklog } from "./log-backlog.ts";
import { LogBook, type LogLimits } from "./log-book.ts";

const FLUSH_AFTER_MS = 100;
/** Text that one statement carries, in bytes. */
const STATEMENT_BYTES = 1024 * 1024;
/** A chatty attempt is not buffered longer than this. */
const BATCH_LINES = 2000;

/** What a sink needs. */
export interface LogSinkParts {
  masker: Masker;
  backlog: LogBacklog;
  /** Of each log; as for tasks unless given. */
  limits?: LogLimits;
  /** Stores batches; rejects while the database is away. */
  append(batches: readonly LogAppend[]): Promise<void>;
  /** Tells the worker's operator what could not be kept. */
  warn(message: string): void;
}

/** All logs of one worker. */
export class LogSink {
  readonly #parts: LogSinkParts;
  readonly #books = new Map<string, LogBook>();
  /** Batches of an attempt that are not stored yet, and who waits for that. */
  readonly #unstored = new Map<string, { batches: number; waiters: (() => void)[] }>();
  #timer: NodeJS.Timeout | null = null;
  #draining: Promise<void> | null = null;
  readonly #ended = new AbortController();

  constructor(parts: LogSinkParts) {
    this.#parts = parts;
  }

  /** Starts the log of an attempt. */
  open(attempt: { attemptId: string; token: string; firstLogLine?: number }): void {
    this.#books.set(attempt.attemptId, new LogBook(attempt, this.#parts.masker, this.#parts.limits));
  }

  /** Adds a line; one of an attempt that is not open is dropped. */
  add(attemptId: string, line: LogLine, bytesCut = 0): void {
    const book = this.#books.get(attemptId);
    if (!book) return;
    book.add(line, bytesCut);
    if (book.waitingLines >= BATCH_LINES) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), FLUSH_AFTER_MS);
  }

  /** Ends the log of an attempt; resolves when all of it is stored, however long the database is away. */
  async close(attemptId: string): Promise<void> {
    const book = this.#books.get(attemptId);
    if (!book) return;
    book.close();
    this.#collect(attemptId, book);
    this.#books.delete(attemptId);
    while (book.hasLost && !this.#ended.signal.aborted) {
      // There is room when what waits is stored.
      await sleep(FLUSH_AFTER_MS, undefined, { signal: this.#ended.signal }).catch(() => {});
      this.#collect(attemptId, book);
    }
    const unstored = this.#unstored.get(attemptId);
    if (!unstored) return;
    this.#drain();
    await new Promise<void>((stored) => unstored.waiters.push(stored));
  }

  /** Forgets the log of an attempt that is no longer ours. */
  abandon(attemptId: string): void {
    this.#books.delete(attemptId);
  }

  /** Stops storing; what waits is lost. For the end of the process. */
  end(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#ended.abort();
    this.#parts.backlog.clear();
    for (const { waiters } of this.#unstored.values()) for (const waiter of waiters) waiter();
  }

  #flush(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    for (const [attemptId, book] of this.#books) {
      this.#collect(attemptId, book);
      if (book.waitingLines > 0) this.#timer ??= setTimeout(() => this.#flush(), FLUSH_AFTER_MS);
    }
    this.#drain();
  }

  #collect(attemptId: string, book: LogBook): void {
    const batch = book.take();
    if (!batch) return;
    try {
      this.#parts.backlog.push(batch);
    } catch (error) {
      this.#parts.warn(`log of attempt ${attemptId} truncated: ${batch.lines.length} lines: ${String(error)}`);
      book.lose(batch, messageOf(error));
      return;
    }
    const unstored = this.#unstored.get(attemptId) ?? { batches: 0, waiters: [] };
    unstored.batches++;
    this.#unstored.set(attemptId, unstored);
  }

  #drain(): void {
    this.#draining ??= this.#store().finally(() => {
      this.#draining = null;
      if (!this.#parts.backlog.isEmpty && !this.#ended.signal.aborted) this.#drain();
    });
  }

  async #store(): Promise<void> {
    const { backlog } = this.#parts;
    let failures = 0;
    while (!backlog.isEmpty && !this.#ended.signal.aborted) {
      const batches = backlog.peek(STATEMENT_BYTES);
      try {
        await this.#parts.append(batches);
      } catch (error) {
        if (failures++ === 0) this.#parts.warn(`logs are kept locally until the database answers: ${String(error)}`);
        await sleep(backoff(failures), undefined, { signal: this.#ended.signal }).catch(() => {});
        continue;
      }
      failures = 0;
      if (this.#ended.signal.aborted) return;
      backlog.drop(batches.length);
      for (const batch of batches) this.#stored(batch.attemptId);
    }
  }

  #stored(attemptId: string): void {
    const unstored = this.#unstored.get(attemptId);
    if (!unstored || --unstored.batches > 0) return;
    this.#unstored.delete(attemptId);
    for (const waiter of unstored.waiters) waiter();
  }
}
