/** The programs of a simulation: real schedulers and workers, and a person at the API. */
import { setTimeout as sleep } from "node:timers/promises";
import { QflowError } from "../../src/errors.ts";
import { clearTasks } from "../../src/metadata/clear.ts";
import { type Database, databaseOver } from "../../src/metadata/database.ts";
import { cancelRun, createRun, pauseDag, unpauseDag } from "../../src/metadata/runs.ts";
import { createMasker } from "../../src/metadata/secrets/mask.ts";
import { isTransient } from "../../src/metadata/transient.ts";
import { Look } from "../../src/scheduler/scheduler.ts";
import { WorkerCore } from "../../src/worker/core.ts";
import { InProcess } from "../../src/worker/in-process.ts";
import { LogBacklog } from "../../src/worker/log-backlog.ts";
import { secretsOfEnvironment } from "../../src/worker/secret-store.ts";
import type { Random } from "./random.ts";
import type { Actor, Stage } from "./stage.ts";
import type { Workload } from "./workload.ts";

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
  readonly kind: "scheduler" | "worker" | "api";
  play(): Promise<void>;
}

function databaseOf(cast: Cast, actor: Actor): Database {
  return databaseOver(cast.stage.poolOf(actor), cast.stage.server.url);
}

/** A scheduler that looks every one to five seconds. */
export function scheduler(cast: Cast, name: string): Role {
  const role: Role = {
    name,
    kind: "scheduler",
    pausedUntil: 0,
    dead: false,
    play: async () => {
      const look = new Look(databaseOf(cast, role), `host of ${name}`, { warn: () => {}, pollMs: 5_000 });
      for (;;) {
        const { waitMs } = await look.once();
        await sleep(Math.max(1_000, waitMs));
      }
    },
  };
  return role;
}

/** A worker; one that drains does so after a while and is not heard of again. */
export function worker(cast: Cast, name: string, drainsAfterMs: number | null): Role {
  const role: Role = {
    name,
    kind: "worker",
    pausedUntil: 0,
    dead: false,
    play: async () => {
      const functionOf = (dagId: string, taskId: string) => cast.workload.functionOf(dagId, taskId);
      const core = new WorkerCore({
        database: databaseOf(cast, role),
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
  };
  return role;
}

/** Somebody who makes runs and meddles with them. */
export function person(cast: Cast, name: string, deeds: number): Role {
  const role: Role = {
    name,
    kind: "api",
    pausedUntil: 0,
    dead: false,
    play: async () => {
      const database = databaseOf(cast, role);
      for (let i = 0; i < deeds; i++) {
        // Some runs first, at once; then whatever comes to mind.
        await deed(cast, database, i < 2).catch((error: unknown) => {
          if (!(error instanceof QflowError) && !isTransient(error)) cast.wrong(`${name}: ${String(error)}`);
        });
        if (i > 0) await sleep(cast.random.int(8_000));
      }
      for (const dagId of cast.workload.pieces.keys()) await untilDone(() => unpauseDag(database, dagId));
    },
  };
  return role;
}

async function deed({ random, workload }: Cast, database: Database, isFirst: boolean): Promise<unknown> {
  const dagId = random.pick([...workload.pieces.keys()]);
  const runId = `r${random.int(3)}`;
  const choice = isFirst ? 0 : random.next();
  if (choice < 0.4) return createRun(database, { dagId, runId, by: "person" });
  if (choice < 0.6)
    return clearTasks(database, { dagId, runId, ...(random.chance(0.5) ? { states: ["failed"] } : {}) });
  if (choice < 0.75) {
    const { taskId } = random.pick(workload.pieces.get(dagId)?.spec.tasks ?? []);
    return clearTasks(database, { dagId, runId, tasks: [{ taskId }] });
  }
  if (choice < 0.85) return cancelRun(database, dagId, runId);
  if (choice < 0.93) return pauseDag(database, dagId);
  return unpauseDag(database, dagId);
}

async function untilDone(work: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (!isTransient(error)) throw error;
      await sleep(500);
    }
  }
}
