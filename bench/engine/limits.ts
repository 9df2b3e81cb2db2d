/** The limits of the machine beside the figures: a durable commit, a NOTIFY, a round trip to a warm runner. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config.ts";
import { bundleFile } from "../../src/dag/bundle.ts";
import type { ClaimedTask } from "../../src/metadata/work.ts";
import { createExecutors } from "../../src/worker/executors.ts";
import { secretsOfEnvironment } from "../../src/worker/secret-store.ts";
import { chain } from "./dag-files.ts";
import { percentiles } from "./readings.ts";
import type { Row } from "./row.ts";
import type { Stand } from "./stand.ts";

const TIMES = 500;

/** Each is done 500 times, after as many to warm up. */
export const limits: Row = {
  dags: { "limits.ts": chain("limits", 1, 10) },
  async *measure(stand) {
    const commits = await durableCommits(stand);
    yield* percentiles("limit: durable commit", "ms", [commits]);
    const wakes = await notifications(stand);
    yield* percentiles("limit: NOTIFY round trip", "ms", [wakes]);
    const trips = await runnerTrips(stand);
    yield* percentiles("limit: round trip to a warm runner", "ms", [trips]);
  },
};

async function timed(once: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < 2 * TIMES; i++) {
    const before = performance.now();
    await once();
    if (i >= TIMES) times.push(performance.now() - before);
  }
  return times;
}

async function durableCommits(stand: Stand): Promise<number[]> {
  const client = await stand.database.connect();
  try {
    await client.query("create table limit_commit as select 1 as id, 0 as n");
    return await timed(() => client.query({ name: "commit", text: "update limit_commit set n = n + 1 where id = 1" }));
  } finally {
    client.release();
  }
}

async function notifications(stand: Stand): Promise<number[]> {
  const listener = await stand.database.connect();
  try {
    let heard = Promise.withResolvers<void>();
    listener.on("notification", () => heard.resolve());
    await listener.query("listen limit_notify");
    return await timed(async () => {
      heard = Promise.withResolvers();
      await stand.database.query("select pg_notify('limit_notify', '')");
      await heard.promise;
    });
  } finally {
    listener.release(true);
  }
}

/** What the worker does with a task function beside the database: to a runner and back, log and all. */
async function runnerTrips(stand: Stand): Promise<number[]> {
  const folder = await mkdtemp(join(tmpdir(), "qflow-bench-runner-"));
  const file = join(folder, "limits.ts");
  await writeFile(file, chain("limits", 1, 10));
  const { bundle } = await bundleFile(file);
  const bundlePath = join(folder, "limits.mjs");
  await writeFile(bundlePath, bundle.code);
  let ended = Promise.withResolvers<void>();
  const config = loadConfig({ ...stand.env, QFLOW_RUNNERS: "1" });
  const secrets = secretsOfEnvironment(config);
  const { functions, operators } = createExecutors(
    { config, database: stand.database },
    { marker: "limits", folder, secrets: () => secrets },
    { line: () => {}, warn: (text) => console.error(text), ended: () => ended.resolve() },
  );
  try {
    let n = 0;
    return await timed(async () => {
      ended = Promise.withResolvers();
      functions.run(taskOf(n++), bundlePath);
      await ended.promise;
    });
  } finally {
    await Promise.all([functions.close(), operators.close()]);
    await rm(folder, { recursive: true, force: true });
  }
}

/** As much of a claimed task as a runner looks at. */
function taskOf(n: number): ClaimedTask {
  const task: Partial<ClaimedTask> = {
    attemptId: `attempt-${n}`,
    token: `token-${n}`,
    dagId: "limits",
    runId: "run",
    taskId: "task_0",
    mapIndex: -1,
    tryNumber: 1,
    kind: "function",
    rule: "all_success",
    operator: null,
    params: {},
    logicalDate: null,
    interval: null,
    events: [],
    inputs: {},
    emits: [],
  };
  return task as ClaimedTask;
}
