/**
 * graphile-worker and pg-boss: job queues, not orchestrators. A chain is a job that adds the next one; there is no fan-in. Jobs run
 * in the process of the worker, and times are that process's: graphile-worker deletes what is done.
 */
import { EventEmitter, once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import pg from "pg";
import { installNodePeers, type Peer, type PeerPlace } from "./peer.ts";
import { chainFigures, crowdFigures, type Step } from "./steps.ts";

const CONCURRENCY = 4;
const RUNS = 3;

/** A queue as the workloads see it: adds jobs, each of which calls `work`. */
interface Queue {
  add(payloads: readonly Payload[]): Promise<void>;
  stop(): Promise<void>;
}

interface Payload {
  /** Jobs of the same run that follow one after another. */
  readonly rest: number;
}

type OpenQueue = (place: PeerPlace, work: (payload: Payload) => Promise<void>) => Promise<Queue>;

/** Both queues do the same work. */
function queuePeer(open: OpenQueue): Peer {
  return {
    install: installNodePeers,
    async *measure(place) {
      const bench: QueueBench = new QueueBench(await open(place, (payload) => bench.work(payload)));
      try {
        await bench.run([{ rest: 19 }]);
        yield* chainFigures("chain40", await bench.runs([{ rest: 39 }]));
        yield* chainFigures("chain100", await bench.runs([{ rest: 99 }]));
        yield* crowdFigures("fan200", await bench.runs(Array.from({ length: 200 }, () => ({ rest: 0 }))));
        yield* crowdFigures("fleet100", await bench.runs(Array.from({ length: 100 }, () => ({ rest: 9 }))));
      } finally {
        await bench.queue.stop();
      }
    },
  };
}

class QueueBench {
  readonly queue: Queue;
  readonly #done = new EventEmitter();
  #steps: Step[] = [];
  #left = 0;

  constructor(queue: Queue) {
    this.queue = queue;
  }

  async runs(payloads: readonly Payload[]): Promise<Step[][]> {
    const runs: Step[][] = [];
    for (let i = 0; i < RUNS; i++) runs.push(await this.run(payloads));
    return runs;
  }

  async run(payloads: readonly Payload[]): Promise<Step[]> {
    this.#steps = [];
    this.#left = payloads.reduce((sum, { rest }) => sum + rest + 1, 0);
    const ended = once(this.#done, "ended", { signal: AbortSignal.timeout(120_000) });
    await this.queue.add(payloads);
    await ended;
    return this.#steps;
  }

  async work({ rest }: Payload): Promise<void> {
    const start = performance.now();
    const end = performance.now();
    this.#steps.push({ start, end });
    // What a DAG's edge is, a queue's job does itself.
    if (rest > 0) await this.queue.add([{ rest: rest - 1 }]);
    if (--this.#left === 0) this.#done.emit("ended");
  }
}

/** The part of graphile-worker's API that is used. */
interface GraphileWorker {
  Logger: new (factory: () => () => void) => object;
  run(options: object): Promise<{ stop(): Promise<void> }>;
  makeWorkerUtils(options: object): Promise<{
    migrate(): Promise<void>;
    addJobs(jobs: readonly object[]): Promise<unknown>;
    release(): Promise<void>;
  }>;
}

export const graphileWorker: Peer = queuePeer(async ({ installed, databaseUrl }, work) => {
  const { run, makeWorkerUtils, Logger } = (await load(installed, "graphile-worker/dist/index.js")) as GraphileWorker;
  const pgPool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
  const logger = new Logger(() => () => {});
  const utils = await makeWorkerUtils({ pgPool, logger });
  await utils.migrate();
  const runner = await run({
    pgPool,
    logger,
    concurrency: CONCURRENCY,
    noHandleSignals: true,
    pollInterval: 1000,
    parsedCronItems: [],
    taskList: { step: (payload: unknown) => work(payload as Payload) },
  });
  return {
    add: async (payloads) => void (await utils.addJobs(payloads.map((payload) => ({ identifier: "step", payload })))),
    stop: async () => {
      await runner.stop();
      await utils.release();
      await pgPool.end();
    },
  };
});

/** The part of pg-boss's API that is used. */
interface PgBossModule {
  PgBoss: new (
    options: object,
  ) => {
    start(): Promise<unknown>;
    createQueue(name: string): Promise<unknown>;
    work(name: string, options: object, handler: (jobs: { data: Payload }[]) => Promise<void>): Promise<unknown>;
    insert(name: string, jobs: readonly object[]): Promise<unknown>;
    stop(options: object): Promise<void>;
  };
}

export const pgBoss: Peer = queuePeer(async ({ installed, databaseUrl }, work) => {
  const { PgBoss } = (await load(installed, "pg-boss/dist/index.js")) as PgBossModule;
  const boss = new PgBoss({ connectionString: databaseUrl, max: 10 });
  await boss.start();
  await boss.createQueue("step");
  // 0.5 s is the shortest that it allows between two looks.
  const options = { batchSize: 50, pollingIntervalSeconds: 0.5 };
  const handler = async (jobs: { data: Payload }[]) => void (await Promise.all(jobs.map(({ data }) => work(data))));
  for (let i = 0; i < CONCURRENCY; i++) await boss.work("step", options, handler);
  return {
    add: async (payloads) =>
      void (await boss.insert(
        "step",
        payloads.map((data) => ({ data })),
      )),
    stop: () => boss.stop({ graceful: false }),
  };
});

async function load(folder: string, module: string): Promise<unknown> {
  return import(pathToFileURL(join(folder, "node_modules", module)).href);
}
