/** The part of a worker that talks to the database: session, claims, attempts, logs. It knows no process and no folder. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "../metadata/database.ts";
import type { Masker } from "../metadata/secrets/mask.ts";
import {
  appendLog,
  type Capacity,
  drainWorker,
  endWorker,
  type FinishReply,
  finishAndClaim,
  heartbeat,
  registerWorker,
  type WorkerIdentity,
} from "../metadata/work.ts";
import { Attempts } from "./attempts.ts";
import type { BundleCache } from "./bundle-cache.ts";
import { ClaimLoop } from "./claim-loop.ts";
import type { ExecutorEvents } from "./executor.ts";
import type { Executors } from "./executors.ts";
import type { LogBacklog } from "./log-backlog.ts";
import { LogSink } from "./log-sink.ts";
import { Session } from "./session.ts";
import { within } from "./within.ts";

/** What else lives under a worker's session beside its attempts at tasks. */
export interface SessionCompanion {
  /** There may be work. */
  wake(): void;
  /** As in {@link Session}. */
  renewed(sentAt: number): void;
  lost(): void;
  /** Starts nothing more and ends what runs, in order until `hurry` resolves. */
  drain(hurry: Promise<void>): Promise<void>;
}

const DRAIN_MS = 60_000;
/** How long a stopping worker waits for attempts it hands back; longer than the ladder of an operator takes. */
const HAND_BACK_MS = 45_000;
/** How long it waits for one answer of the database. */
const FAREWELL_MS = 5000;
/** How long a worker that stops tries to tell its last outcomes. */
const LAST_WORDS_MS = 15_000;

/** What a core is made from. */
export interface CoreOptions {
  readonly database: Database;
  readonly identity: WorkerIdentity;
  /** How long it waits for what runs when it drains, in milliseconds. Default: a minute. */
  readonly drainMs?: number;
  /** Attempts at once. */
  readonly slots: Capacity;
  readonly masker: Masker;
  readonly backlog: LogBacklog;
  readonly bundles: BundleCache;
  /** Makes what runs the attempts. */
  executors(events: ExecutorEvents): Executors;
  /** Makes sure that what starts now sees connections and variables of that version; rejects while the database is away. */
  refreshSecrets?(version: number): Promise<void>;
  /** What else lives under the session. */
  readonly companion?: SessionCompanion;
  warn(message: string): void;
}

/** Everything between the database and the executors. */
export class WorkerCore {
  readonly executors: Executors;
  readonly sink: LogSink;
  readonly attempts: Attempts;
  readonly session: Session;
  readonly claims: ClaimLoop;
  readonly #options: CoreOptions;
  #closed = false;
  #handsBack = false;
  #allOver: (() => void) | null = null;

  constructor(options: CoreOptions) {
    this.#options = options;
    const { database, masker, warn } = options;
    this.sink = new LogSink({
      masker,
      backlog: options.backlog,
      warn,
      append: (batches) => appendLog(database, batches),
    });
    this.executors = options.executors({
      line: (attemptId, line, bytesCut) => this.sink.add(attemptId, line, bytesCut),
      ended: (attemptId, end) => this.attempts.ended(attemptId, end),
      warn: (message) => warn(masker.mask(message)),
    });
    this.attempts = new Attempts({
      ...this.executors,
      bundles: options.bundles,
      sink: this.sink,
      masker,
      warn,
      finished: (outcome) => this.claims.tell(outcome),
      over: () => this.#onOver(),
    });
    this.session = this.#createSession();
    this.claims = this.#createClaims();
  }

  /** Work may have come, or attempts are to end. */
  onWake(): void {
    this.claims.wake();
    this.#options.companion?.wake();
    const { functions, operators } = this.attempts.counts;
    if (functions + operators > 0) this.session.askSoon();
  }

  /**
   * Claims nothing more, waits for what runs until `hurry` resolves or `drainMs` have passed, hands the rest back, and tells the
   * last outcomes. Goes on without the database when that does not answer: the lease will tell.
   */
  async drain(hurry: Promise<void>): Promise<void> {
    this.#closed = true;
    // What the call under way claims is waited for like the rest.
    const told = drainWorker(this.#options.database, this.session.workerId);
    await within(Promise.all([told, this.claims.callEnded()]), FAREWELL_MS);
    // A clock that nobody stops would keep the process for its whole time.
    const settled = Promise.withResolvers<void>();
    const patience = within(Promise.race([hurry, settled.promise]), this.#options.drainMs ?? DRAIN_MS);
    const idle = Promise.all([this.#untilIdle(), this.#options.companion?.drain(patience)]);
    await Promise.race([idle, patience]);
    settled.resolve();
    this.#handsBack = true;
    this.attempts.stopAll("shutdown");
    await within(idle, HAND_BACK_MS);
    for (let waited = 0; this.claims.untold > 0 && waited < LAST_WORDS_MS; waited += 20) await sleep(20);
    await within(this.claims.stop(), FAREWELL_MS);
    await within(this.session.stop(), FAREWELL_MS);
  }

  /** Ends the session, if there is one; nothing of what it ran may live any more. */
  async farewell(): Promise<void> {
    if (this.session.workerId === "") return;
    await within(endWorker(this.#options.database, this.session.workerId), FAREWELL_MS);
  }

  async #untilIdle(): Promise<void> {
    const over = Promise.withResolvers<void>();
    this.#allOver = over.resolve;
    this.#onOver();
    await over.promise;
  }

  #createSession(): Session {
    const { database, identity, warn } = this.#options;
    return new Session({
      register: () => registerWorker(database, identity),
      heartbeat: (workerId) => heartbeat(database, workerId),
      renewed: (sentAt) => this.#options.companion?.renewed(sentAt),
      lost: () => {
        this.attempts.stopAll("fenced");
        this.#options.companion?.lost();
      },
      revoked: (revocations) => {
        for (const { attemptId, reason } of revocations) this.attempts.stop(attemptId, reason);
      },
      warn,
    });
  }

  #createClaims(): ClaimLoop {
    return new ClaimLoop({
      exchange: async (outcomes, capacity, claim) => {
        const { workerId, losses } = this.session;
        const reply = await finishAndClaim(this.#options.database, workerId, outcomes, capacity, claim);
        // Where this fails the same claim is asked for again, with all it was told.
        if (reply.claimed.length > 0) await this.#options.refreshSecrets?.(reply.secretsVersion);
        // What was claimed under a session that is over by now belongs to whoever claims it next.
        // guard: session-of-claim
        return this.session.losses === losses ? reply : { ...reply, claimed: [] };
      },
      capacity: () => this.#capacity(),
      answered: (reply) => this.#onAnswered(reply),
      mayWait: () => this.executors.ahead?.isStocked ?? false,
      warn: this.#options.warn,
    });
  }

  #capacity(): Capacity {
    if (this.#closed) return { functions: 0, operators: 0 };
    const { functions, operators } = this.attempts.counts;
    const { slots } = this.#options;
    return {
      functions: Math.max(0, slots.functions + (this.executors.ahead?.room ?? 0) - functions),
      operators: Math.max(0, slots.operators - operators),
    };
  }

  #onAnswered(reply: FinishReply): void {
    for (const attemptId of reply.fenced) {
      this.#options.warn(`attempt ${attemptId} was fenced: its outcome was not taken`);
      this.attempts.stop(attemptId, "fenced");
    }
    for (const task of reply.claimed) {
      this.attempts.start(task);
      // Claimed by a call whose answer was lost, and asked for again while this worker stops.
      if (this.#handsBack) this.attempts.stop(task.attemptId, "shutdown");
    }
  }

  #onOver(): void {
    const { functions, operators } = this.attempts.counts;
    if (functions + operators === 0) this.#allOver?.();
    this.claims.onRoom();
  }
}
