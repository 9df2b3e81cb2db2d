/** The runners of a worker: started when needed, one ahead, reused. */
import type { ClaimedTask } from "../metadata/work.ts";
import type { Executor, ExecutorEvents } from "./executor.ts";
import type { StopReason } from "./protocol.ts";
import { Runner, type RunnerSpec } from "./runner.ts";

/** Runs task functions in at most `size` processes; the worker never gives it more attempts at once. */
export class RunnerPool implements Executor {
  readonly #spec: RunnerSpec;
  readonly #size: number;
  readonly #events: ExecutorEvents;
  readonly #runners = new Set<Runner>();
  #usedAt = performance.now();
  #closed: (() => void) | null = null;

  constructor(spec: RunnerSpec, size: number, events: ExecutorEvents) {
    this.#spec = spec;
    this.#size = size;
    this.#events = events;
  }

  get pids(): number[] {
    return [...this.#runners].map((runner) => runner.pid);
  }

  /** One runner ahead, unless one is idle already or the pool is full. */
  prewarm(): void {
    if (this.#closed || this.#runners.size >= this.#size || this.#idle()) return;
    this.#start();
  }

  run(task: ClaimedTask, bundlePath: string | null): void {
    this.#usedAt = performance.now();
    const runner = this.#idle() ?? this.#start();
    runner.run(task, bundlePath);
    this.prewarm();
  }

  rest(idleMs: number): void {
    const runners = [...this.#runners];
    if (performance.now() - this.#usedAt < idleMs || !runners.every((runner) => runner.isIdle)) return;
    for (const runner of runners) runner.kill();
  }

  stop(attemptId: string, reason: StopReason): void {
    for (const runner of this.#runners) runner.stop(attemptId, reason);
  }

  async close(): Promise<void> {
    const gone = new Promise<void>((done) => {
      this.#closed = done;
    });
    if (this.#runners.size === 0) return;
    for (const runner of this.#runners) runner.kill();
    await gone;
  }

  #idle(): Runner | undefined {
    return [...this.#runners].find((runner) => runner.isIdle);
  }

  #start(): Runner {
    const runner = new Runner(this.#spec, {
      ...this.#events,
      gone: (gone) => {
        this.#runners.delete(gone);
        if (this.#closed && this.#runners.size === 0) this.#closed();
      },
    });
    this.#runners.add(runner);
    return runner;
  }
}
