/** history: what 1,000,000 finished task instances and 1,000 more DAGs change. */
import { setTimeout as sleep } from "node:timers/promises";
import { createToken, createUser } from "../../src/metadata/access.ts";
import { type Figure, figure } from "../figure.ts";
import { chainHops, chains, runsOf } from "./chains.ts";
import { fleet } from "./dag-files.ts";
import { growHistory } from "./long-history.ts";
import { quantile } from "./readings.ts";
import type { Row } from "./row.ts";
import type { Stand } from "./stand.ts";

const INSTANCES = 1_000_000;
const DAGS = 1000;
const RUNS = 7;
const REQUESTS = 40;
const READY_TIMEOUT_MS = 60_000;

/** Everything is measured, then the history and the DAGs are put in, and everything is measured again. */
export const history: Row = {
  dags: chains.dags,
  async *measure(stand) {
    await stand.unpause("chain100");
    const [run = 0] = await runsOf(stand, "chain100", 1);
    await stand.startProcess("api");
    const read = await reader(stand);
    const before = await measured(stand, read, run);
    await stand.addDags(fleet("history", { dags: DAGS, tasks: 10 }, 'cron("0 0 1 1 *", { timezone: "UTC" })'));
    await stand.unpause("history_%");
    await growHistory(stand.database, run, INSTANCES);
    const after = await measured(stand, read, run);
    await stand.stopProcess("api");
    yield* compared(before, after);
  },
};

function* compared(before: Map<string, number[]>, after: Map<string, number[]>): Generator<Figure> {
  for (const [name, values] of before) {
    const later = after.get(name) ?? [];
    yield figure(`${name}, no history`, "ms", values);
    yield figure(`${name}, 1,000,000 instances and 1,000 DAGs`, "ms", later);
    yield figure(`${name}, ratio`, "ratio", [quantile(later, 0.5) / quantile(values, 0.5)]);
  }
}

/** Milliseconds by name: hops of chains, and answers of the API. */
async function measured(
  stand: Stand,
  read: (path: string) => Promise<void>,
  run: number,
): Promise<Map<string, number[]>> {
  await chainHops(stand, 2);
  const figures = new Map<string, number[]>();
  const hops = await chainHops(stand, RUNS);
  figures.set(
    "chain100 hop p50",
    hops.map((values) => quantile(values, 0.5)),
  );
  const { rows } = await stand.database.query<{ run_id: string }>("select run_id from dag_run where id = $1", [run]);
  for (const [name, path] of Object.entries(pathsOf(rows[0]?.run_id ?? "")))
    figures.set(name, await answers(() => read(path)));
  return figures;
}

/** Pages that are full before and after. */
function pathsOf(runId: string): Record<string, string> {
  const run = `/api/v2/dags/chain100/dagRuns/${runId}`;
  return {
    "list of runs of a DAG": "/api/v2/dags/chain100/dagRuns?limit=10&order_by=-id",
    "list of all runs": "/api/v2/dags/~/dagRuns?limit=10&order_by=-id",
    "list of runs, by start": "/api/v2/dags/~/dagRuns?limit=10&order_by=-start_date",
    "list of runs, by end": "/api/v2/dags/~/dagRuns?limit=10&order_by=-end_date",
    "list of runs of a DAG, by logical date": "/api/v2/dags/chain100/dagRuns?limit=10&order_by=-logical_date",
    "list of failed tasks": "/api/v2/dags/~/dagRuns/~/taskInstances?limit=50&state=failed",
    "list of failed tasks, by end": "/api/v2/dags/~/dagRuns/~/taskInstances?limit=50&state=failed&order_by=-end_date",
    "list of DAGs": "/api/v2/dags?limit=3",
    "tasks of a run": `${run}/taskInstances?limit=100`,
    "list of all tasks": "/api/v2/dags/~/dagRuns/~/taskInstances?limit=50",
    "one task": `${run}/taskInstances/task_50`,
    "log of a task": `${run}/taskInstances/task_50/logs/1`,
    "grid of a DAG": "/api/grid/chain100?limit=10",
  };
}

/** Milliseconds that some answers took. */
export async function answers(read: () => Promise<void>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < REQUESTS + 5; i++) {
    const before = performance.now();
    await read();
    if (i >= 5) times.push(performance.now() - before);
  }
  return times;
}

/** Reads a page of the API to its end; resolves when the API is there. */
export async function reader(stand: Stand): Promise<(path: string) => Promise<void>> {
  await createUser(stand.database, "bench", "viewer");
  const { token } = await createToken(stand.database, { name: "bench", user: "bench", days: 1 });
  const base = `http://127.0.0.1:${stand.env.QFLOW_PORT}`;
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (!(await fetch(`${base}/health`).catch(() => null))?.ok) {
    if (Date.now() > deadline) throw new Error("the API does not answer");
    await sleep(100);
  }
  return async (path) => {
    const reply = await fetch(`${base}${path}`, { headers: { authorization: `Bearer ${token}` } });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${path}: ${reply.status} ${text.slice(0, 300)}`);
  };
}
