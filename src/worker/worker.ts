/** A worker: claims task instances, runs them in child processes, tells how they ended. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config.ts";
import type { Database } from "../metadata/database.ts";
import { hostId } from "../metadata/host-identity.ts";
import { listen } from "../metadata/listen.ts";
import {
  appendLog,
  drainWorker,
  endWorker,
  type FinishReply,
  fetchBundle,
  finishAndClaim,
  heartbeat,
  registerWorker,
} from "../metadata/work.ts";
import { INSTANCE_MARKER, WORKER_MARKER } from "../processes/markers.ts";
import { Attempts } from "./attempts.ts";
import { createBundleCache } from "./bundle-cache.ts";
import { ClaimLoop } from "./claim-loop.ts";
import { createExecutors, type ExecutorOptions, type Executors } from "./executors.ts";
import { LogBacklog } from "./log-backlog.ts";
import { LogSink } from "./log-sink.ts";
import { createMasker, secretsOf } from "./mask.ts";
import { Session } from "./session.ts";
import { sweepDeadWorkers, sweepEndedAttempts, sweepMarked, workerMarker } from "./sweep.ts";
import { removeDeadFolders, workerFolder } from "./worker-folder.ts";

/** What a worker is started with. */
export interface WorkerOptions extends ExecutorOptions {
  database: Database;
  /** Operators at once in the host. */
  operatorSlots?: number;
  /** Tells the worker's operator what went wrong around tasks, one line each. */
  warn?: (message: string) => void;
}

/** How long what runs may go on when a worker stops: `drain` waits for it, then hands it back; `now` hands back at once. */
export type StopMode = "drain" | "now";

/** A running worker. */
export interface Worker {
  /** Id of its session; another one after its session was lost. */
  readonly workerId: string;
  /** Process ids of its children, for those who watch it. */
  readonly pids: { readonly host: readonly number[]; readonly runners: readonly number[] };
  /** Claims nothing more, lets attempts end or hands them back, ends its children. A second call with `now` hurries the first. */
  stop(mode: StopMode): Promise<void>;
}

const OPERATOR_SLOTS = 256;
/** How long a draining worker waits for what runs. */
const DRAIN_MS = 60_000;
/** Between TERM and KILL of what operators left running when the worker stops. */
const LEFTOVER_MS = 5000;
const SWEEP_EVERY_MS = 30_000;
/** How long a stopping worker waits for attempts it hands back; longer than the ladder of an operator takes. */
const HAND_BACK_MS = 45_000;
/** How long it waits for one answer of the database. */
const FAREWELL_MS = 5000;
/** How long a worker that stops tries to tell its last outcomes. */
const LAST_WORDS_MS = 15_000;

/** Starts a worker in this process. Resolves when it is registered; throws what makes that impossible for good. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const running = new RunningWorker(options, await workerMarker(), await hostId());
  await running.start();
  return running;
}

class RunningWorker implements Worker {
  readonly #database: Database;
  readonly #config: Config;
  readonly #folder: string;
  readonly #slots: { functions: number; operators: number };
  readonly #marker: Awaited<ReturnType<typeof workerMarker>>;
  readonly #warn: (message: string) => void;
  readonly #executors: Executors;
  readonly #sink: LogSink;
  readonly #attempts: Attempts;
  readonly #session: Session;
  readonly #claims: ClaimLoop;
  #sweeper: NodeJS.Timeout | null = null;
  #stopListening: () => Promise<void> = async () => {};
  #stopping: Promise<void> | null = null;
  #handsBack = false;
  #hurry = Promise.withResolvers<void>();
  #allOver: (() => void) | null = null;

  constructor(options: WorkerOptions, marker: Awaited<ReturnType<typeof workerMarker>>, host: string) {
    const { database, config } = options;
    this.#database = database;
    this.#config = config;
    this.#marker = marker;
    this.#slots = { functions: config.runners, operators: options.operatorSlots ?? OPERATOR_SLOTS };
    this.#warn = options.warn ?? ((message) => console.error(`worker: ${message}`));
    const warn = this.#warn;
    const masker = createMasker([...secretsOf(config.connections), config.lineage?.token ?? ""]);
    const folder = join(config.home, "tmp");
    this.#folder = workerFolder(folder, marker.value);
    const backlog = new LogBacklog(join(this.#folder, "logs.jsonl"));
    this.#sink = new LogSink({ masker, backlog, warn, append: (batches) => appendLog(database, batches) });
    this.#executors = createExecutors(
      options,
      { marker: marker.value, folder: this.#folder },
      {
        line: (attemptId, line, bytesCut) => this.#sink.add(attemptId, line, bytesCut),
        ended: (attemptId, end) => this.#attempts.ended(attemptId, end),
        warn: (message) => warn(masker.mask(message)),
      },
    );
    this.#attempts = new Attempts({
      ...this.#executors,
      bundles: createBundleCache(join(folder, "bundles"), (hash) => fetchBundle(database, hash)),
      sink: this.#sink,
      masker,
      warn,
      finished: (outcome) => this.#claims.tell(outcome),
      over: () => this.#onOver(),
    });
    this.#session = this.#createSession(host);
    this.#claims = this.#createClaims();
  }

  get workerId(): string {
    return this.#session.workerId;
  }

  get pids() {
    return { host: this.#executors.operators.pids, runners: this.#executors.functions.pids };
  }

  async start(): Promise<void> {
    await removeDeadFolders(join(this.#config.home, "tmp"));
    const left = await sweepDeadWorkers(this.#config.environment[INSTANCE_MARKER] ?? "");
    if (left > 0) this.#warn(`ended ${left} processes that a dead worker had left`);
    await this.#session.start();
    this.#executors.functions.prewarm();
    this.#executors.operators.prewarm();
    this.#stopListening = listen(this.#database, "qflow_work", () => {
      this.#claims.wake();
      const { functions, operators } = this.#attempts.counts;
      if (functions + operators > 0) this.#session.askSoon();
    });
    this.#claims.start();
    this.#sweeper = setInterval(() => void this.#sweep(), SWEEP_EVERY_MS).unref();
  }

  stop(mode: StopMode): Promise<void> {
    if (mode === "now") this.#hurry.resolve();
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  #createSession(hostId: string): Session {
    const { identity, value } = this.#marker;
    return new Session({
      register: () =>
        registerWorker(this.#database, { hostId, pid: identity.pid, pidStartedAt: identity.startedAt, marker: value }),
      heartbeat: (workerId) => heartbeat(this.#database, workerId),
      lost: () => this.#attempts.stopAll("fenced"),
      revoked: (revocations) => {
        for (const { attemptId, reason } of revocations) this.#attempts.stop(attemptId, reason);
      },
      warn: this.#warn,
    });
  }

  #createClaims(): ClaimLoop {
    return new ClaimLoop({
      exchange: async (outcomes, capacity, claim) => {
        const { workerId, losses } = this.#session;
        const reply = await finishAndClaim(this.#database, workerId, outcomes, capacity, claim);
        // What was claimed under a session that is over by now belongs to whoever claims it next.
        return this.#session.losses === losses ? reply : { ...reply, claimed: [] };
      },
      capacity: () => this.#capacity(),
      answered: (reply) => this.#onAnswered(reply),
      warn: this.#warn,
    });
  }

  #capacity(): { functions: number; operators: number } {
    if (this.#stopping) return { functions: 0, operators: 0 };
    const { functions, operators } = this.#attempts.counts;
    return {
      functions: Math.max(0, this.#slots.functions - functions),
      operators: Math.max(0, this.#slots.operators - operators),
    };
  }

  #onAnswered(reply: FinishReply): void {
    for (const attemptId of reply.fenced) {
      this.#warn(`attempt ${attemptId} was fenced: its outcome was not taken`);
      this.#attempts.stop(attemptId, "fenced");
    }
    for (const task of reply.claimed) {
      this.#attempts.start(task);
      // Claimed by a call whose answer was lost, and asked for again while this worker stops.
      if (this.#handsBack) this.#attempts.stop(task.attemptId, "shutdown");
    }
  }

  #onOver(): void {
    const { functions, operators } = this.#attempts.counts;
    if (functions + operators === 0) this.#allOver?.();
    this.#claims.wake();
  }

  async #sweep(): Promise<void> {
    const swept = await sweepEndedAttempts(this.#marker.value, (marker) => this.#attempts.isLive(marker)).catch(
      () => 0,
    );
    if (swept > 0) this.#warn(`ended ${swept} processes that ended attempts had left`);
  }

  async #stop(): Promise<void> {
    // What the call under way claims is waited for like the rest.
    await within(Promise.all([drainWorker(this.#database, this.workerId), this.#claims.callEnded()]), FAREWELL_MS);
    const idle = this.#untilIdle();
    await within(Promise.race([idle, this.#hurry.promise]), DRAIN_MS);
    this.#handsBack = true;
    this.#attempts.stopAll("shutdown");
    await within(idle, HAND_BACK_MS);
    await this.#lastWords();
    await within(this.#claims.stop(), FAREWELL_MS);
    await within(this.#session.stop(), FAREWELL_MS);
    await within(this.#stopListening(), FAREWELL_MS);
    if (this.#sweeper) clearInterval(this.#sweeper);
    this.#sink.end();
    await Promise.all([this.#executors.functions.close(), this.#executors.operators.close()]);
    // What operators keep running between attempts ends in peace.
    await sweepMarked(WORKER_MARKER, this.#marker.value, LEFTOVER_MS);
    await rm(this.#folder, { recursive: true, force: true });
    await within(endWorker(this.#database, this.workerId), FAREWELL_MS);
  }

  async #untilIdle(): Promise<void> {
    const over = Promise.withResolvers<void>();
    this.#allOver = over.resolve;
    this.#onOver();
    await over.promise;
  }

  /** Outcomes are told as long as that is worth waiting for; without the database the lease tells. */
  async #lastWords(): Promise<void> {
    for (let waited = 0; this.#claims.untold > 0 && waited < LAST_WORDS_MS; waited += 20) await sleep(20);
  }
}

/** Waits for the end of something, whichever it is, but not forever: a worker stops also without its database. */
async function within(ends: Promise<unknown>, ms: number): Promise<void> {
  const timer = new AbortController();
  const late = sleep(ms, undefined, { signal: timer.signal }).catch(() => {});
  await Promise.race([ends.catch(() => {}), late]);
  timer.abort();
}
