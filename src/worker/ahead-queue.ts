/** Attempts that were claimed ahead wait here, in the worker, so that a place that becomes free has the next one at once. */
import type { ClaimedTask } from "../metadata/work.ts";
import { ClaimAhead, STALE_AFTER_MS } from "./claim-ahead.ts";
import type { AttemptEnd, Executor, ExecutorEvents } from "./executor.ts";
import type { StopReason } from "./protocol.ts";
import { report } from "./task-result.ts";

interface Waiting {
  readonly task: ClaimedTask;
  readonly bundlePath: string | null;
  readonly since: number;
}

/** An executor of so many places, with a queue before it. What waits too long behind a long task is handed back. */
export class AheadQueue implements Executor {
  readonly #inner: Executor;
  readonly #places: number;
  readonly #events: ExecutorEvents;
  readonly #ahead: ClaimAhead;
  readonly #waiting = new Map<string, Waiting>();
  /** Attempt → when it was given to a place. */
  readonly #running = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;

  /** `create` makes what runs the attempts, at most `places` at once. */
  constructor(create: (events: ExecutorEvents) => Executor, places: number, events: ExecutorEvents) {
    this.#places = places;
    this.#events = events;
    this.#ahead = new ClaimAhead(places);
    this.#inner = create({ ...events, ended: (attemptId, end) => this.#onEnded(attemptId, end) });
  }

  get pids(): readonly number[] {
    return this.#inner.pids;
  }

  /** How many attempts beyond its places it takes now. */
  get room(): number {
    const now = performance.now();
    return this.#ahead.room([...this.#running.values()].map((since) => now - since));
  }

  /** Whether every place has its next attempt at hand. */
  get isStocked(): boolean {
    return this.#waiting.size >= this.#places;
  }

  prewarm(): void {
    this.#inner.prewarm();
  }

  rest(idleMs: number): void {
    this.#inner.rest(idleMs);
  }

  run(task: ClaimedTask, bundlePath: string | null): void {
    if (this.#running.size < this.#places) {
      this.#start(task, bundlePath);
      return;
    }
    this.#waiting.set(task.attemptId, { task, bundlePath, since: performance.now() });
    this.#timer ??= setTimeout(() => this.#handBackStale(), STALE_AFTER_MS);
  }

  stop(attemptId: string, reason: StopReason): void {
    if (this.#waiting.delete(attemptId)) this.#events.ended(attemptId, { died: { code: null, signal: "SIGTERM" } });
    else this.#inner.stop(attemptId, reason);
  }

  close(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    return this.#inner.close();
  }

  #start(task: ClaimedTask, bundlePath: string | null): void {
    this.#running.set(task.attemptId, performance.now());
    this.#inner.run(task, bundlePath);
  }

  #onEnded(attemptId: string, end: AttemptEnd): void {
    const since = this.#running.get(attemptId);
    if (since !== undefined) this.#ahead.ran(performance.now() - since);
    this.#running.delete(attemptId);
    const [next] = this.#waiting.values();
    if (next && this.#running.size < this.#places) {
      this.#waiting.delete(next.task.attemptId);
      this.#start(next.task, next.bundlePath);
    }
    this.#events.ended(attemptId, end);
  }

  #handBackStale(): void {
    this.#timer = null;
    const before = performance.now() - STALE_AFTER_MS;
    for (const [attemptId, { since }] of this.#waiting) {
      if (since > before) break;
      this.#waiting.delete(attemptId);
      const error = report(
        "TASK_KILLED",
        "it was claimed ahead and handed back before it started: no place became free",
      );
      this.#events.ended(attemptId, { result: { state: "failed", retry: "infra", handBack: true, error } });
    }
    const [oldest] = this.#waiting.values();
    if (oldest) this.#timer = setTimeout(() => this.#handBackStale(), Math.max(1, oldest.since - before));
  }
}
