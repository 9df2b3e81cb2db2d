/** Prefect: its server on our PostgreSQL, flows in a process of their own; times are those of its table of task runs. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { freePort } from "../../src/processes/ports.ts";
import { installPythonPeer, type Peer, type PeerPlace, run } from "./peer.ts";
import { chainFigures, crowdFigures, type Step } from "./steps.ts";

const READY_TIMEOUT_MS = 120_000;
/** Its client tells the server of tasks some time after they ended. */
const HEARD_TIMEOUT_MS = 60_000;
/** As often as prefect_flows.py runs each. */
const RUNS = 2;

export const prefect: Peer = {
  install: () => installPythonPeer("prefect"),
  async *measure(place) {
    const port = await freePort();
    const env = environment(place, port);
    const command = join(place.installed, "bin/prefect");
    const args = ["server", "start", "--host", "127.0.0.1", "--port", String(port)];
    const server = spawn(command, args, { stdio: "ignore", env: { ...process.env, ...env } });
    try {
      await untilHealthy(`http://127.0.0.1:${port}/api/health`, READY_TIMEOUT_MS);
      for (const flow of ["chain40", "chain100", "fan200"]) {
        await run(join(place.installed, "bin/python"), [join(import.meta.dirname, "prefect_flows.py"), flow], env);
      }
      yield* chainFigures("chain40", await runsOf(place, "chain40", 40));
      yield* chainFigures("chain100", await runsOf(place, "chain100", 100));
      yield* crowdFigures("fan200", await runsOf(place, "fan200", 202));
    } finally {
      const gone = new Promise((done) => server.once("exit", done));
      server.kill("SIGTERM");
      await gone;
    }
  },
};

function environment({ databaseUrl, scratch }: PeerPlace, port: number): Record<string, string> {
  return {
    PREFECT_HOME: join(scratch, "prefect"),
    PREFECT_API_DATABASE_CONNECTION_URL: databaseUrl.replace("postgres://", "postgresql+asyncpg://"),
    PREFECT_API_URL: `http://127.0.0.1:${port}/api`,
    PREFECT_SERVER_ANALYTICS_ENABLED: "false",
    PREFECT_LOGGING_LEVEL: "WARNING",
  };
}

/** Resolves when the address answers; throws after a while. */
export async function untilHealthy(url: string, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await fetch(url).catch(() => null))?.ok) {
    if (Date.now() > deadline) throw new Error(`${url} does not answer`);
    await sleep(200);
  }
}

/** The task runs of a flow's runs, when the server has heard of all `tasks` of each. */
async function runsOf({ databaseUrl }: PeerPlace, flow: string, tasks: number): Promise<Step[][]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const deadline = Date.now() + HEARD_TIMEOUT_MS;
  try {
    for (;;) {
      const runs = await endedSteps(client, flow);
      if (runs.length === RUNS && runs.every((steps) => steps.length === tasks)) return runs;
      if (Date.now() > deadline) throw new Error(`Prefect's server has not heard of all tasks of ${flow}`);
      await sleep(500);
    }
  } finally {
    await client.end();
  }
}

async function endedSteps(client: pg.Client, flow: string): Promise<Step[][]> {
  const { rows } = await client.query<Step & { run: string }>(
    `select r.id as run, extract(epoch from t.start_time)::float8 * 1000 as start, extract(epoch from t.end_time)::float8 * 1000 as end
     from task_run t join flow_run r on r.id = t.flow_run_id join flow f on f.id = r.flow_id
     where f.name = $1 and t.end_time is not null`,
    [flow],
  );
  return [...Map.groupBy(rows, (row) => row.run).values()];
}
