/** One attempt of a service on this worker: starts its program, listens to it, sees to its health, and ends it. */
import { messageOf, QflowError } from "../../errors.ts";
import type { ClaimedService, ServiceEnd, ServiceFailure } from "../../metadata/services/types.ts";
import type { Launcher, ProgramExit, RunningProgram } from "./launcher.ts";
import { type Heard, hear } from "./messages.ts";
import { Reporter, type ReporterParts } from "./reporter.ts";

/** What an attempt needs. */
export interface ServiceRunParts extends Omit<ReporterParts, "fenced"> {
  readonly claimed: ClaimedService;
  readonly launcher: Launcher;
  /** Until when its worker may trust its lease, by the clock of the machine. */
  trustedUntil(): number;
  log(stream: "stdout" | "stderr" | "info" | "warn" | "error", text: string, bytesCut?: number): void;
}

/** The program may have been changed: looked at this often. */
const SOURCES_EVERY_MS = 5_000;
/** Of the last lines on standard error that a failure tells. */
const LAST_LINES = 10;
const SHOWN = 2_000;
/** What does not die is killed again. */
const KILL_AGAIN_MS = 1_000;

type Verdict = { readonly stop: string } | { readonly unhealthy: string };

/** An attempt from its claim to its end. */
export class ServiceRun {
  readonly claimed: ClaimedService;
  readonly #parts: ServiceRunParts;
  readonly #reporter: Reporter;
  readonly #startedAt: number;
  #program: RunningProgram | null = null;
  #seenAt: number | null = null;
  #sourcesAt: number;
  /** Why it is to end, and from when on it is killed. */
  #verdict: Verdict | null = null;
  #killAt = Number.POSITIVE_INFINITY;
  #killing: Promise<boolean> | null = null;
  #fenced = false;
  readonly #gone = Promise.withResolvers<void>();
  readonly #last: string[] = [];

  constructor(parts: ServiceRunParts) {
    this.#parts = parts;
    this.claimed = parts.claimed;
    this.#reporter = new Reporter({ ...parts, fenced: () => this.fence() });
    this.#startedAt = parts.clock();
    this.#sourcesAt = this.#startedAt;
  }

  /** Resolves when nothing of it lives, whether that was told or not. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** What was not told yet is not told any more. */
  abandon(): void {
    this.#reporter.abandon();
  }

  /** Runs it. Resolves when nothing of it lives and its end was told, or is not wanted any more. Never rejects. */
  async run(): Promise<ServiceEnd | null> {
    const { claimed, launcher } = this.#parts;
    let end: ServiceEnd;
    try {
      this.#program = await launcher.start(claimed, this.#parts.trustedUntil(), (stream, text, cut) =>
        this.#line(stream, text, cut),
      );
      end = await this.#untilEnded(this.#program);
    } catch (error) {
      end = { state: "failed", reason: null, error: failureOf(error) };
    }
    this.#gone.resolve();
    if (this.#fenced) {
      this.#reporter.abandon();
      return null;
    }
    this.#parts.log(end.state === "failed" ? "error" : "info", end.error?.message ?? `ended: ${end.reason}`);
    await this.#reporter.finish();
    return end;
  }

  /** Looks at clocks; to be called several times a second. */
  tick(): void {
    this.#reporter.tick();
    const program = this.#program;
    if (program === null) return;
    const now = this.#parts.clock();
    if (this.#verdict === null) this.#checkHealth(now);
    if (now >= this.#killAt) this.#kill(program);
    if (this.#verdict === null && now - this.#sourcesAt >= SOURCES_EVERY_MS) {
      this.#sourcesAt = now;
      void program.isChanged().then((changed) => changed && this.drain("its files changed"));
    }
  }

  /** The lease was renewed. */
  trust(until: number): void {
    this.#program?.trust(until);
  }

  /** Asks it to end after the work in hand; kills it when its time is over. The first reason counts. */
  drain(reason: string): void {
    if (this.#verdict !== null) return;
    this.#verdict = { stop: reason };
    this.#killAt = this.#parts.clock() + this.claimed.spec.drainMs;
    this.#reporter.draining(reason);
    this.#parts.log("info", `it is to end: ${reason}`);
    this.#program?.drain();
  }

  /** Kills it: its worker has no more time. */
  hurry(reason: string): void {
    this.drain(reason);
    this.#killAt = Number.NEGATIVE_INFINITY;
  }

  /** It is not ours any more: kills it, and tells nothing. */
  fence(): void {
    this.#fenced = true;
    this.#verdict ??= { stop: "fenced" };
    this.#killAt = Number.NEGATIVE_INFINITY;
    if (this.#program !== null) this.#kill(this.#program);
  }

  async #untilEnded(program: RunningProgram): Promise<ServiceEnd> {
    this.#reporter.started(program.pid);
    program.trust(this.#parts.trustedUntil());
    // It may have been told to end while it was started.
    if (this.#verdict !== null) program.drain();
    const exit = await program.exited;
    // Whoever is told that it has ended may start another one.
    // guard: service-gone-first
    while (!(await program.kill())) await new Promise((next) => setTimeout(next, KILL_AGAIN_MS));
    await program.tidy();
    return this.#endOf(exit);
  }

  #endOf(exit: ProgramExit): ServiceEnd {
    const verdict = this.#verdict;
    const ended = exit.signal === null ? `it ended with exit code ${exit.code}` : `it was killed by ${exit.signal}`;
    if (verdict !== null && "stop" in verdict) {
      const clean = exit.code === 0 || this.#parts.clock() < this.#killAt;
      return { state: "stopped", reason: clean ? verdict.stop : `${verdict.stop}; killed after its time to end` };
    }
    if (exit.distrusted) return { state: "stopped", reason: "the lease could not be renewed in time" };
    const last = this.#last.join("\n").slice(-SHOWN);
    const [code, why] =
      verdict === null ? (["SERVICE_ENDED", ended] as const) : (["SERVICE_UNHEALTHY", verdict.unhealthy] as const);
    const text = last === "" ? why : `${why}; it last printed:\n${last}`;
    return { state: "failed", reason: null, error: failureOf(new QflowError(code, text)) };
  }

  #checkHealth(now: number): void {
    const { startTimeoutMs, healthTimeoutMs } = this.claimed.spec;
    const [since, limit] = this.#seenAt === null ? [this.#startedAt, startTimeoutMs] : [this.#seenAt, healthTimeoutMs];
    if (now - since < limit) return;
    const what = this.#seenAt === null ? "its start" : "the last one";
    this.#verdict = { unhealthy: `it gave no sign of life for ${limit / 1000} s after ${what}` };
    this.#killAt = now;
  }

  #kill(program: RunningProgram): void {
    this.#killing ??= program.kill().finally(() => {
      this.#killing = null;
    });
  }

  #line(stream: "stdout" | "stderr", text: string, bytesCut: number): void {
    const heard = stream === "stdout" ? hear(text, this.claimed.spec.emits) : null;
    if (heard !== null) {
      this.#onMessage(heard, text);
      return;
    }
    if (stream === "stderr") {
      this.#last.push(text);
      if (this.#last.length > LAST_LINES) this.#last.shift();
    }
    this.#parts.log(stream, text, bytesCut);
  }

  #onMessage(heard: Heard, text: string): void {
    if ("wrong" in heard) {
      this.#parts.log("warn", `${heard.wrong}: ${text.slice(0, SHOWN)}`);
      return;
    }
    this.#seenAt = this.#parts.clock();
    if ("batch" in heard) this.#reporter.batch(heard.batch);
    else if ("event" in heard) this.#reporter.event(heard.event);
    else if ("fields" in heard) this.#reporter.fields(heard.fields);
    else this.#reporter.sign();
  }
}

function failureOf(error: unknown): ServiceFailure {
  const known = error instanceof QflowError ? error : new QflowError("SERVICE_NOT_STARTED", messageOf(error));
  return { code: known.code, message: known.message, remedy: known.remedy };
}
