/** One scheduler's look at the waits that are due. What is slow is checked beside the look, and never holds it up. */
import type { Json } from "../dag/spec.ts";
import { messageOf } from "../errors.ts";
import type { Database } from "../metadata/database.ts";
import { createMasker } from "../metadata/secrets/mask.ts";
import { hiddenOf } from "../metadata/secrets/task-secrets.ts";
import { sensorTimedOut } from "../metadata/sensor-timeout.ts";
import { isTransient } from "../metadata/transient.ts";
import {
  admitWaits,
  dueWaits,
  finishWaits,
  LEASE_SECONDS,
  type LeasedWait,
  lateSensors,
  leaseWaits,
  queuePokes,
  rearmWaits,
} from "../metadata/waits.ts";
import { wakeWith } from "../metadata/wake.ts";
import { appendLog } from "../metadata/work.ts";
import type { CheckContext, Checked } from "../operators/check.ts";
import { loadCheck, type ReadyCheck } from "../operators/checks.ts";
import { checked, failed, handedBack, masked, prepared, type WaitAnswer } from "./wait-answers.ts";

/** What a look is made with. */
export interface WaitLookOptions {
  /** A connection by id; rejects with CONNECTION_UNKNOWN. */
  readonly connection: CheckContext["connection"];
  readonly warn: (message: string) => void;
  /** Called when a check that went on beside the look is done. */
  readonly wake: () => void;
  /** Checks at once. Default 100. */
  readonly concurrency?: number;
  /** Of one server, or of the file system. Default 4. */
  readonly share?: number;
  /** Longest time of one check, in milliseconds; less than a lease. Default 30,000. */
  readonly checkMs?: number;
}

const CONCURRENCY = 100;
const SHARE = 4;
const CHECK_MS = (LEASE_SECONDS * 1000) / 2;

/** What a look leaves to be done. */
export interface WaitLookReport {
  /** Milliseconds until something is due; null where nothing waits for a time. */
  readonly nextInMs: number | null;
  /** Whether there may be more to do at once. */
  readonly more: boolean;
  /** Whether the database could not be had. */
  readonly failed: boolean;
}

/** Looks at waits, again and again; holds the checks that go on between two looks. */
export class WaitLook {
  readonly #database: Database;
  readonly #options: WaitLookOptions;
  readonly #stopping = new AbortController();
  readonly #busy = new Map<string, number>();
  readonly #going = new Set<Promise<void>>();
  /** Hides the secrets of every connection that a check has used in what is said about waits. */
  readonly #masker = createMasker([]);
  #answers: WaitAnswer[] = [];

  constructor(database: Database, options: WaitLookOptions) {
    this.#database = database;
    this.#options = options;
  }

  /** How many checks go on beside the look, or have an answer that is not kept yet. */
  get underWay(): number {
    return this.#going.size + this.#answers.length;
  }

  /** Does what is due now; never throws. */
  async once(): Promise<WaitLookReport> {
    try {
      return { ...(await this.#look()), failed: false };
    } catch (error) {
      this.#options.warn(`waits: ${messageOf(error)}`);
      return { nextInMs: null, more: false, failed: isTransient(error) };
    }
  }

  /** Ends the checks under way and gives their waits back. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the scheduler stops"));
    await Promise.all(this.#going);
    await this.#tell().catch(() => {});
  }

  async #look(): Promise<{ nextInMs: number | null; more: boolean }> {
    await this.#tell();
    const due = await dueWaits(this.#database);
    const admitted = due.queued ? await admitWaits(this.#database) : 0;
    const poked = due.pokes ? await this.#pokes() : 0;
    const leased = due.waits || admitted > 0 ? await this.#lease() : 0;
    await this.#tell();
    return { nextInMs: due.nextInMs, more: admitted + poked + leased > 0 };
  }

  async #pokes(): Promise<number> {
    const queued = await queuePokes(this.#database);
    if (queued > 0) await wakeWith(this.#database, "qflow_work");
    const late = await lateSensors(this.#database);
    const ended = await finishWaits(
      this.#database,
      late.map(({ attemptId, token, sensor, timeoutMs, polls }) => {
        const what = `it was asked ${polls} times within its timeout of ${timeoutMs / 1000} s, and what it waits for did not come`;
        return { attemptId, token, ...sensorTimedOut(sensor, what) };
      }),
    );
    return queued + ended.length;
  }

  async #lease(): Promise<number> {
    const room = (this.#options.concurrency ?? CONCURRENCY) - this.#going.size;
    if (room <= 0) return 0;
    const waits = await leaseWaits(this.#database, room, { share: this.#options.share ?? SHARE, busy: this.#busy });
    const begun = waits.filter((wait) => wait.condition === null);
    const ready = Map.groupBy(
      waits.filter((wait) => wait.condition !== null),
      (wait) => wait.kind,
    );
    await Promise.all([
      ...begun.map((wait) => this.#prepare(wait)),
      ...[...ready].map(([kind, of]) => this.#checkKind(kind, of)),
    ]);
    return waits.length;
  }

  async #prepare(wait: LeasedWait): Promise<void> {
    const work = async () => {
      const check = await loadCheck(wait.kind);
      if (wait.given === null) throw new Error(`wait ${wait.taskInstanceId} came without what it is made from`);
      return prepared(wait, await check.prepare(wait.given, this.#context()));
    };
    this.#answers.push(await work().catch((error: unknown) => failed(wait, error)));
  }

  async #checkKind(kind: string, waits: readonly LeasedWait[]): Promise<void> {
    const check = await loadCheck(kind).catch((error: unknown) => {
      for (const wait of waits) this.#answers.push(failed(wait, error));
      return null;
    });
    if (check === null) return;
    if (check.looks === "together") await this.#check(check, waits);
    else for (const wait of waits) this.#checkBeside(check, wait);
  }

  /** Goes on while the look does, and wakes the next one when it is done. */
  #checkBeside(check: ReadyCheck, wait: LeasedWait): void {
    const resource = wait.resource ?? wait.kind;
    this.#busy.set(resource, (this.#busy.get(resource) ?? 0) + 1);
    const going = this.#check(check, [wait]).then(() => {
      this.#busy.set(resource, (this.#busy.get(resource) ?? 1) - 1);
      if (this.#busy.get(resource) === 0) this.#busy.delete(resource);
      this.#going.delete(going);
      this.#options.wake();
    });
    this.#going.add(going);
  }

  async #check(check: ReadyCheck, waits: readonly LeasedWait[]): Promise<void> {
    const context = this.#context();
    const look = (): Promise<Checked<Json>[]> =>
      check.look(
        waits.map(({ condition, at }) => ({ condition, at })),
        context,
      );
    try {
      const found = await withSignal(look(), context.signal);
      for (const [i, wait] of waits.entries()) this.#answers.push(checked(wait, found[i] as Checked<Json>));
    } catch (error) {
      const stopped = this.#stopping.signal.aborted;
      for (const wait of waits) this.#answers.push(stopped ? handedBack(wait) : failed(wait, error));
    }
  }

  #context(): CheckContext {
    const ms = this.#options.checkMs ?? CHECK_MS;
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(ms)]);
    const connection = async (id: string) => {
      const found = await this.#options.connection(id);
      this.#masker.add(hiddenOf([found]));
      return found;
    };
    return { database: this.#database, signal, connection };
  }

  /** Keeps what the checks found. What cannot be told now is told with the next look. */
  async #tell(): Promise<void> {
    const answers = this.#answers.map((answer) => masked(answer, this.#masker));
    if (answers.length === 0) return;
    this.#answers = [];
    try {
      await keep(this.#database, answers);
    } catch (error) {
      if (isTransient(error)) {
        this.#answers = [...answers, ...this.#answers];
        throw error;
      }
      // One that cannot be kept must not take the others with it; its lease ends, and it is checked again.
      for (const answer of answers)
        await keep(this.#database, [answer]).catch((why: unknown) => this.#options.warn(`a wait: ${messageOf(why)}`));
    }
  }
}

/** Log first, so that a log which is complete has it all. Keeping the same again changes nothing. */
async function keep(database: Database, answers: readonly WaitAnswer[]): Promise<void> {
  await appendLog(
    database,
    answers.flatMap(({ log }) => log ?? []),
  );
  await finishWaits(
    database,
    answers.flatMap(({ next }) => ("end" in next ? [next.end] : [])),
  );
  await rearmWaits(
    database,
    answers.flatMap(({ next }) => ("rearm" in next ? [next.rearm] : [])),
  );
}

/** A check that does not heed its signal is given up. */
async function withSignal<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => {});
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => {});
  const onAbort = () => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
