/** The loop that reads topics for DAGs which their messages start, beside the scheduler's own. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "../dag/operator.ts";
import { messageOf, QflowError } from "../errors.ts";
import type { Kafka } from "../kafka/index.ts";
import type { Database } from "../metadata/database.ts";
import {
  leaseSources,
  type MessageSource,
  releaseSources,
  tellAbsent,
  tellProblem,
} from "../metadata/message-sources.ts";
import { backoffMs } from "../metadata/transient.ts";
import { readRound } from "./message-reader.ts";
import { createMessageRuns } from "./message-runs.ts";

/** How the loop is set up. */
export interface MessagesOptions {
  /** A connection by id; rejects with CONNECTION_UNKNOWN. */
  readonly connection: (id: string) => Promise<Connection>;
  readonly warn: (message: string) => void;
  /** Opens a client; tests give one of their own. */
  readonly open?: (connection: Connection) => Promise<Kafka>;
}

/** The running loop. */
export interface Messages {
  /** Makes it look at once, where there is something to look at. */
  wake(): void;
  stop(): Promise<void>;
}

const POLL_MS = 1_000;
/** Without any DAG that messages start, only such a DAG is looked for. */
const IDLE_POLL_MS = 5_000;
const LEASE_SECONDS = 30;

/** Starts the loop in this process. Any number may run against one database: each topic is read by one of them. */
export function startMessages(database: Database, options: MessagesOptions): Messages {
  const stopping = new AbortController();
  const look = new MessageLook(database, options);
  let woken = Promise.withResolvers<void>();
  let isIdle = true;
  const loop = (async () => {
    for (let failures = 0; !stopping.signal.aborted; ) {
      woken = Promise.withResolvers<void>();
      const { sources, more, failed } = await look.once();
      isIdle = sources === 0;
      failures = failed ? failures + 1 : 0;
      if (more && !failed) continue;
      const pause = failed ? backoffMs(failures, Math.random()) : isIdle ? IDLE_POLL_MS : POLL_MS;
      const rest = sleep(Math.max(1, pause), undefined, { signal: stopping.signal }).catch(() => {});
      await Promise.race([woken.promise, rest]);
    }
  })();
  return {
    wake: () => {
      if (!isIdle) woken.resolve();
    },
    stop: async () => {
      stopping.abort();
      await loop;
      await look.stop();
    },
  };
}

/** What a look found out. */
export interface MessageLookReport {
  /** Topics that this scheduler reads. */
  readonly sources: number;
  readonly more: boolean;
  /** Whether the database could not be had. */
  readonly failed: boolean;
}

/** One scheduler's look at its topics; {@link startMessages} repeats it. */
export class MessageLook {
  readonly #database: Database;
  readonly #options: MessagesOptions;
  readonly #lease = randomUUID();
  readonly #clients = new Map<string, { readonly kafka: Kafka; readonly address: string }>();

  constructor(database: Database, options: MessagesOptions) {
    this.#database = database;
    this.#options = options;
  }

  /** Reads what there is room for and makes the runs that are due; never throws. */
  async once(): Promise<MessageLookReport> {
    try {
      const sources = await leaseSources(this.#database, this.#lease, LEASE_SECONDS);
      const more = await Promise.all(sources.map((source) => this.#read(source)));
      const created = await this.#create();
      await this.#closeUnused(sources);
      return { sources: sources.length, more: created > 0 || more.includes(true), failed: false };
    } catch (error) {
      this.#options.warn(`messages: ${messageOf(error)}`);
      return { sources: 0, more: false, failed: true };
    }
  }

  /** Gives the leases back and closes the clients. */
  async stop(): Promise<void> {
    await releaseSources(this.#database, this.#lease).catch(() => {});
    await this.#closeUnused([]);
  }

  async #create(): Promise<number> {
    const { created, refused } = await createMessageRuns(this.#database);
    for (const { dagId, error } of refused)
      this.#options.warn(`DAG ${dagId} gets no run of its messages: ${messageOf(error)}`);
    return created;
  }

  /** Whether there is more to read at once. What goes wrong is kept with the source and told once. */
  async #read(source: MessageSource): Promise<boolean> {
    try {
      const kafka = await this.#client(source.schedule.connection);
      const { more, notes } = await readRound(this.#database, kafka, { source, lease: this.#lease });
      for (const note of notes) this.#options.warn(`DAG ${source.dagId}: ${note}`);
      return more;
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== source.problem) {
        this.#options.warn(`DAG ${source.dagId} cannot read its topic: ${problem}`);
        const isAbsent = error instanceof QflowError && error.code === "KAFKA_TOPIC_MISSING";
        await (isAbsent ? tellAbsent : tellProblem)(this.#database, source.dagId, problem);
      }
      return false;
    }
  }

  /** One client a connection; another when its address has changed. */
  async #client(id: string): Promise<Kafka> {
    const connection = await this.#options.connection(id);
    const address = JSON.stringify(connection);
    const open = this.#clients.get(id);
    if (open?.address === address) return open.kafka;
    await open?.kafka.close();
    const kafka = await (this.#options.open ?? openClient)(connection);
    this.#clients.set(id, { kafka, address });
    return kafka;
  }

  async #closeUnused(sources: readonly MessageSource[]): Promise<void> {
    const used = new Set(sources.map(({ schedule }) => schedule.connection));
    for (const [id, { kafka }] of this.#clients) {
      if (used.has(id)) continue;
      this.#clients.delete(id);
      await kafka.close().catch(() => {});
    }
  }
}

/** Loaded with the first topic: a scheduler without any does not hold the client in memory. */
async function openClient(connection: Connection): Promise<Kafka> {
  const [{ openKafka }, { kafkaAddress }] = await Promise.all([
    import("../kafka/index.ts"),
    import("../operators/clients/kafka.ts"),
  ]);
  return openKafka(kafkaAddress(connection, "qflow-scheduler"));
}
