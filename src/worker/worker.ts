/** A worker: claims task instances, runs them in child processes, tells how they ended. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config.ts";
import type { Database } from "../metadata/database.ts";
import { hostId } from "../metadata/host-identity.ts";
import { listen } from "../metadata/listen.ts";
import { openKeyring } from "../metadata/secrets/keyring.ts";
import { createMasker } from "../metadata/secrets/mask.ts";
import { readTaskSecrets } from "../metadata/secrets/task-secrets.ts";
import { fetchBundle } from "../metadata/work.ts";
import { INSTANCE_MARKER, WORKER_MARKER } from "../processes/markers.ts";
import { createBundleCache } from "./bundle-cache.ts";
import { WorkerCore } from "./core.ts";
import { createExecutors, type ExecutorOptions } from "./executors.ts";
import { LogBacklog } from "./log-backlog.ts";
import { SecretStore } from "./secret-store.ts";
import { createServices } from "./services/create.ts";
import type { Services } from "./services/services.ts";
import { sweepDeadWorkers, sweepEndedAttempts, sweepMarked, workerMarker } from "./sweep.ts";
import { within } from "./within.ts";
import { removeDeadFolders, workerFolder } from "./worker-folder.ts";

/** What a worker is started with. */
export interface WorkerOptions extends ExecutorOptions {
  database: Database;
  /** Operators at once in the host. */
  operatorSlots?: number;
  /** The machine it says it is on. Default: this one. */
  hostId?: string;
  /** Tells the worker's operator what went wrong around tasks, one line each. */
  warn?: (message: string) => void;
}

/** How long what runs may go on when a worker stops: `drain` waits for it, then hands it back; `now` hands back at once. */
export type StopMode = "drain" | "now";

/** A worker in this process. */
export interface Worker {
  /** Id of its session; another one after its session was lost. */
  readonly workerId: string;
  /** Process ids of its children, for those who watch it. */
  readonly pids: { readonly host: readonly number[]; readonly runners: readonly number[] };
  /** Ends children that no attempt has needed for so long, as it does by itself after five minutes; the next attempt starts them again. */
  rest(idleMs: number): void;
  /** Registers it, and takes work from then on. Rejects with what makes that impossible for good. */
  start(): Promise<void>;
  /**
   * Claims nothing more, lets attempts end or hands them back, ends its children. A second call with `now` hurries the first. One that
   * has not yet registered does not come up any more.
   */
  stop(mode: StopMode): Promise<void>;
}

const OPERATOR_SLOTS = 256;
/** Between TERM and KILL of what operators left running when the worker stops. */
const LEFTOVER_MS = 5000;
const SWEEP_EVERY_MS = 30_000;
/** Runners and host that nothing has needed for so long are ended. */
const REST_AFTER_MS = 300_000;
/** How long a stopping worker waits for its listener to end, or for the answer to its registration. */
const FAREWELL_MS = 5000;

/** Makes a worker that is not started yet: whoever has to be able to stop it can be ready before it is. */
export async function createWorker(options: WorkerOptions): Promise<Worker> {
  return new RunningWorker(options, await workerMarker(), options.hostId ?? (await hostId()));
}

/** Starts a worker in this process. Resolves when it is registered; throws what makes that impossible for good. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const worker = await createWorker(options);
  await worker.start();
  return worker;
}

class RunningWorker implements Worker {
  readonly #database: Database;
  readonly #config: Config;
  readonly #folder: string;
  readonly #marker: Awaited<ReturnType<typeof workerMarker>>;
  readonly #warn: (message: string) => void;
  readonly #core: WorkerCore;
  readonly #services: Services;
  /** Whether what the last processes may have left has been looked for. */
  #swept = true;
  #sweeper: NodeJS.Timeout | null = null;
  #stopListening: () => Promise<void> = async () => {};
  #starting: Promise<void> = Promise.resolve();
  #isUp = false;
  #stopping: Promise<void> | null = null;
  #hurry = Promise.withResolvers<void>();

  constructor(options: WorkerOptions, marker: Awaited<ReturnType<typeof workerMarker>>, hostId: string) {
    const { database, config } = options;
    this.#database = database;
    this.#config = config;
    this.#marker = marker;
    this.#warn = options.warn ?? ((message) => console.error(`worker: ${message}`));
    const folder = join(config.home, "tmp");
    this.#folder = workerFolder(folder, marker.value);
    const { identity, value } = marker;
    const masker = createMasker([config.lineage?.token ?? "", ...passwordOf(database.url)]);
    const secrets = new SecretStore({
      config,
      masker,
      // The keys are read anew: a rotation may have made one.
      read: async () => readTaskSecrets(database, await openKeyring(config)),
      warn: this.#warn,
    });
    this.#services = createServices({
      database,
      config,
      marker: value,
      folder: this.#folder,
      masker,
      secrets,
      workerId: () => this.workerId,
      warn: this.#warn,
    });
    this.#core = new WorkerCore({
      database,
      identity: { hostId, pid: identity.pid, pidStartedAt: identity.startedAt, marker: value, queues: config.queues },
      drainMs: config.drainSeconds * 1000,
      slots: { functions: config.runners, operators: options.operatorSlots ?? OPERATOR_SLOTS },
      masker,
      backlog: new LogBacklog(join(this.#folder, "logs.jsonl")),
      bundles: createBundleCache(join(folder, "bundles"), (hash) => fetchBundle(database, hash)),
      executors: (events) =>
        createExecutors(options, { marker: value, folder: this.#folder, secrets: () => secrets.current }, events),
      refreshSecrets: (version) => secrets.refresh(version),
      companion: this.#services,
      warn: this.#warn,
    });
  }

  get workerId(): string {
    return this.#core.session.workerId;
  }

  get pids() {
    const { functions, operators } = this.#core.executors;
    return { host: operators.pids, runners: functions.pids };
  }

  start(): Promise<void> {
    this.#starting = this.#start();
    return this.#starting;
  }

  rest(idleMs: number): void {
    const { functions, operators } = this.#core.executors;
    functions.rest(idleMs);
    operators.rest(idleMs);
  }

  stop(mode: StopMode): Promise<void> {
    if (mode === "now") this.#hurry.resolve();
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #start(): Promise<void> {
    await removeDeadFolders(join(this.#config.home, "tmp"));
    const left = await sweepDeadWorkers(this.#config.environment[INSTANCE_MARKER] ?? "");
    if (left > 0) this.#warn(`ended ${left} processes that a dead worker had left`);
    await this.#core.session.start();
    // The answer may come when nobody waits for it any more.
    if (this.#stopping) return this.#core.farewell();
    this.#isUp = true;
    // Everything else starts with the first attempt; a Spark driver takes longer than anybody wants to wait.
    if (this.#config.sparkStart === "eager") this.#core.executors.operators.prewarm();
    this.#stopListening = listen(this.#database, "qflow_work", () => this.#core.onWake());
    this.#core.claims.start();
    this.#services.start();
    this.#sweeper = setInterval(() => void this.#tidy(), SWEEP_EVERY_MS).unref();
  }

  /** Leftovers come from attempts, and where nothing has run since the last round there are none. */
  async #tidy(): Promise<void> {
    const { host, runners } = this.pids;
    if (this.#swept && host.length + runners.length === 0) return;
    this.#swept = host.length + runners.length === 0;
    await this.#sweep();
    this.rest(REST_AFTER_MS);
  }

  async #sweep(): Promise<void> {
    const swept = await sweepEndedAttempts(this.#marker.value, (marker) => this.#isLive(marker)).catch(() => 0);
    if (swept > 0) this.#warn(`ended ${swept} processes that ended attempts had left`);
  }

  #isLive(marker: string): boolean {
    return this.#core.attempts.isLive(marker) || this.#services.isLive(marker);
  }

  async #stop(): Promise<void> {
    await within(this.#starting, FAREWELL_MS);
    if (!this.#isUp) {
      await this.#core.session.stop();
      await rm(this.#folder, { recursive: true, force: true });
      return;
    }
    const { sink, executors } = this.#core;
    await this.#core.drain(this.#hurry.promise);
    await within(this.#stopListening(), FAREWELL_MS);
    if (this.#sweeper) clearInterval(this.#sweeper);
    sink.end();
    this.#services.close();
    await Promise.all([executors.functions.close(), executors.operators.close()]);
    // What operators keep running between attempts ends in peace.
    await sweepMarked(WORKER_MARKER, this.#marker.value, LEFTOVER_MS);
    await rm(this.#folder, { recursive: true, force: true });
    await this.#core.farewell();
  }
}

/** The password in a database's URL: nobody logs it on purpose. */
function passwordOf(url: string): string[] {
  return URL.canParse(url) ? [decodeURIComponent(new URL(url).password)] : [];
}
