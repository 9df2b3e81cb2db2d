/** The programs of a simulation: real schedulers, workers and senders of notifications. */
import { setTimeout as sleep } from "node:timers/promises";
import { QflowError } from "../../src/errors.ts";
import { type Database, databaseOver } from "../../src/metadata/database.ts";
import { nextNotificationInMs } from "../../src/metadata/notifications.ts";
import { createMasker } from "../../src/metadata/secrets/mask.ts";
import { isTransient } from "../../src/metadata/transient.ts";
import { type SenderOptions, sendDue } from "../../src/notifications/sender.ts";
import { MessageLook } from "../../src/scheduler/messages.ts";
import { Look } from "../../src/scheduler/scheduler.ts";
import { WaitLook } from "../../src/scheduler/wait-look.ts";
import { WorkerCore } from "../../src/worker/core.ts";
import { InProcess } from "../../src/worker/in-process.ts";
import { LogBacklog } from "../../src/worker/log-backlog.ts";
import { secretsOfEnvironment } from "../../src/worker/secret-store.ts";
import type { Topic } from "./messages.ts";
import { fractionOf, type Random } from "./random.ts";
import type { Actor, Stage } from "./stage.ts";
import type { Workload } from "./workload.ts";

const NOWHERE = { kind: "http", host: "nowhere", port: 0, path: "", user: "", password: "", options: {} } as const;
const NO_SECRETS = secretsOfEnvironment({ connections: {}, variables: {} });

/** What every actor is given. */
export interface Cast {
  readonly stage: Stage;
  readonly workload: Workload;
  readonly random: Random;
  /** Folder for what actors keep on disk. */
  readonly folder: string;
  /** Something happened that must never. */
  wrong(problem: string): void;
}

/** An actor with what its program does; the program of one that is never done does not resolve. */
export interface Role extends Actor {
  play(): Promise<void>;
  /** Makes who takes its place when it was killed; null = it cannot be killed. */
  readonly successor: ((name: string) => Role) | null;
}

/** An actor's way to the database. */
export function databaseOf(cast: Cast, actor: Actor): Database {
  return databaseOver(cast.stage.poolOf(actor), cast.stage.server.url);
}

/** A role that plays what `program` does with its database. */
export function role(
  cast: Cast,
  name: string,
  successor: Role["successor"],
  program: (database: Database) => Promise<void>,
): Role {
  const made: Role = {
    name,
    pausedUntil: 0,
    dead: false,
    successor,
    play: () => program(databaseOf(cast, made)),
  };
  return made;
}

/** A scheduler that looks at runs, and beside that at waits and messages, every one to five seconds. */
export function scheduler(cast: Cast, name: string): Role {
  return role(
    cast,
    name,
    (next) => scheduler(cast, next),
    async (database) => {
      const { topic } = cast.workload;
      const messages = topic === null ? [] : [lookAtMessages(database, topic, cast.random)];
      await Promise.all([lookAtRuns(database, `host of ${name}`), lookAtWaits(database), ...messages]);
    },
  );
}

async function lookAtRuns(database: Database, host: string): Promise<void> {
  const look = new Look(database, host, { warn: () => {}, pollMs: 5_000 });
  for (;;) {
    const { waitMs } = await look.once();
    await sleep(Math.max(1_000, waitMs));
  }
}

async function lookAtWaits(database: Database): Promise<void> {
  const connection = async () => {
    throw new QflowError("CONNECTION_UNKNOWN", "there is none");
  };
  const look = new WaitLook(database, { connection, warn: () => {}, wake: () => {} });
  for (;;) {
    const { nextInMs, more, failed } = await look.once();
    if (failed || !more) await sleep(Math.min(5_000, Math.max(1_000, nextInMs ?? 5_000)));
  }
}

async function lookAtMessages(database: Database, topic: Topic, random: Random): Promise<void> {
  const connection = async (id: string) => ({ ...NOWHERE, kind: "kafka", id });
  const look = new MessageLook(database, { connection, warn: () => {}, open: async () => topic.client(random) });
  for (;;) {
    const { more, failed } = await look.once();
    if (failed || !more) await sleep(1_000);
  }
}

/** A worker; one that drains does so after a while and is not heard of again. */
export function worker(cast: Cast, name: string, drainsAfterMs: number | null): Role {
  return role(
    cast,
    name,
    (next) => worker(cast, next, null),
    async (database) => {
      const functionOf = (dagId: string, taskId: string) => cast.workload.functionOf(dagId, taskId);
      const core = new WorkerCore({
        database,
        identity: { hostId: `host of ${name}`, pid: 1, pidStartedAt: "1", marker: name },
        slots: { functions: 1 + cast.random.int(3), operators: 2 },
        masker: createMasker([]),
        backlog: new LogBacklog(`${cast.folder}/${name}.jsonl`),
        bundles: { pathOf: async () => "" },
        executors: (events) => ({
          functions: new InProcess(functionOf, NO_SECRETS, events),
          operators: new InProcess(functionOf, NO_SECRETS, events),
        }),
        warn: () => {},
      });
      await core.session.start();
      core.claims.start();
      if (drainsAfterMs === null) return;
      await sleep(drainsAfterMs);
      await core.drain(sleep(cast.random.int(10_000)));
      core.sink.end();
      await core.farewell();
    },
  );
}

/** Who sends what the outbox holds, to a channel that takes a while and fails now and then. */
export function sender(cast: Cast, name: string): Role {
  const { delivered, seed } = cast.workload;
  return role(
    cast,
    name,
    (next) => sender(cast, next),
    async (database) => {
      const connection = async (id: string) => ({ ...NOWHERE, id });
      const send: SenderOptions["send"] = async ({ id, payload, attempt }) => {
        const luck = fractionOf(seed, `${payload.event}/${payload.run_id}/${payload.task_id}/${attempt}`);
        await sleep(luck * 4_000);
        if (luck < 0.2) throw new QflowError("NOTIFICATION_FAILED", "as told");
        delivered.set(id, (delivered.get(id) ?? 0) + 1);
      };
      const options = { database, connection, send, baseUrl: null, warn: () => {} };
      const sendSome = async () => {
        await sendDue(options, new AbortController().signal);
        return nextNotificationInMs(database);
      };
      for (;;) {
        const nextInMs = await sendSome().catch((error: unknown) => {
          if (!isTransient(error)) cast.wrong(`${name}: ${String(error)}`);
          return null;
        });
        await sleep(Math.min(5_000, Math.max(1_000, nextInMs ?? 5_000)));
      }
    },
  );
}
