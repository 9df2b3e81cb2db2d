/** Tells the database what an attempt does: in numbered reports, one at a time, kept until they are taken. */
import type { BatchProgress, FieldNote, ServiceEventNote, ServiceReport } from "../../metadata/services/types.ts";
import { backoff } from "../backoff.ts";

/** What a reporter needs. */
export interface ReporterParts {
  /** Milliseconds of a clock that never goes back. */
  clock(): number;
  /** False = the attempt is not ours any more. Rejects while the database is away. */
  send(report: ServiceReport): Promise<boolean>;
  fenced(): void;
  warn(message: string): void;
}

/** A sign of life is told this often. */
const SIGN_EVERY_MS = 5_000;
/** Reports are at least this far apart: what comes meanwhile goes together. */
const REPORT_EVERY_MS = 250;
/** Batches that are kept while the database is away; older ones are given up. */
const MOST_BATCHES = 5_000;
/** Batches of one report. */
const REPORT_BATCHES = 500;
/** Fields of one report; others are told when they are seen again. */
const MOST_FIELDS = 1_000;

/** The reports of one attempt. {@link Reporter.tick} is to be called often. */
export class Reporter {
  readonly #parts: ReporterParts;
  #number = 1;
  #batches: BatchProgress[] = [];
  readonly #events = new Map<string, ServiceEventNote & { rows: number }>();
  readonly #fields = new Map<string, FieldNote>();
  #pid: number | null = null;
  #draining: string | null = null;
  #unseen = false;
  #seenAt = Number.NEGATIVE_INFINITY;
  #notBefore = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #sending: Promise<void> | null = null;
  #waiting: ServiceReport | null = null;
  #over = false;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
  }

  started(pid: number): void {
    this.#pid = pid;
  }

  draining(reason: string): void {
    this.#draining = reason;
  }

  sign(): void {
    this.#unseen = true;
  }

  batch(batch: BatchProgress): void {
    this.#unseen = true;
    this.#batches.push(batch);
    if (this.#batches.length > MOST_BATCHES) this.#batches.shift();
  }

  event(event: ServiceEventNote): void {
    this.#unseen = true;
    const key = `${event.dataset}\n${event.partition ?? ""}`;
    const rows = (this.#events.get(key)?.rows ?? 0) + (event.rows ?? 0);
    this.#events.set(key, { ...event, rows });
  }

  fields(fields: readonly FieldNote[]): void {
    this.#unseen = true;
    for (const field of fields) {
      if (this.#fields.size < MOST_FIELDS) this.#fields.set(JSON.stringify(field), field);
    }
  }

  /** Sends what there is, when it is time. */
  tick(): void {
    const now = this.#parts.clock();
    if (this.#sending !== null || this.#over || now < this.#notBefore) return;
    this.#waiting ??= this.#next(now);
    if (this.#waiting !== null) this.#sending = this.#send(this.#waiting);
  }

  /** Nothing more comes: resolves when all was taken, or is not wanted any more. */
  async finish(): Promise<void> {
    for (;;) {
      await this.#sending;
      this.#waiting ??= this.#next(this.#parts.clock());
      if (this.#waiting === null || this.#over) return;
      if (this.#failures > 0) await new Promise((next) => setTimeout(next, backoff(this.#failures)));
      this.#sending = this.#send(this.#waiting);
    }
  }

  /** What is not told is not wanted any more. */
  abandon(): void {
    this.#over = true;
  }

  #next(now: number): ServiceReport | null {
    const news = this.#batches.length + this.#events.size + this.#fields.size;
    const tells = news > 0 || this.#pid !== null || this.#draining !== null;
    const signs = this.#unseen && now - this.#seenAt >= SIGN_EVERY_MS;
    if (!tells && !signs) return null;
    const report: ServiceReport = {
      number: this.#number++,
      ...(this.#pid === null ? {} : { pid: this.#pid }),
      ...(this.#unseen ? { seen: true } : {}),
      ...(this.#draining === null ? {} : { draining: this.#draining }),
      batches: this.#batches.splice(0, REPORT_BATCHES),
      events: [...this.#events.values()],
      fields: [...this.#fields.values()],
    };
    if (this.#unseen) this.#seenAt = now;
    this.#events.clear();
    this.#fields.clear();
    this.#pid = null;
    this.#draining = null;
    this.#unseen = false;
    return report;
  }

  async #send(report: ServiceReport): Promise<void> {
    try {
      const taken = await this.#parts.send(report);
      this.#waiting = null;
      this.#failures = 0;
      this.#notBefore = this.#parts.clock() + REPORT_EVERY_MS;
      if (taken) return;
      this.#over = true;
      this.#parts.fenced();
    } catch (error) {
      if (this.#failures++ === 0) this.#parts.warn(`progress is kept until the database answers: ${String(error)}`);
      this.#notBefore = this.#parts.clock() + backoff(this.#failures);
    } finally {
      this.#sending = null;
    }
  }
}
