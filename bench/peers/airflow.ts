/** Airflow with its LocalExecutor, as installed; times are those of its table of task instances. */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { freePort } from "../../src/processes/ports.ts";
import { installPythonPeer, type Peer, type PeerPlace, run } from "./peer.ts";
import { untilHealthy } from "./prefect.ts";
import { chainFigures, crowdFigures, type Step } from "./steps.ts";

const READY_TIMEOUT_MS = 180_000;
const RUN_TIMEOUT_MS = 240_000;

export const airflow: Peer = {
  install: () => installPythonPeer("airflow"),
  async *measure(place) {
    const house = await startAirflow(place);
    try {
      yield* chainFigures("chain40", [await runOnce(house, "chain40")]);
      yield* crowdFigures("fan200", [await runOnce(house, "fan200")]);
    } finally {
      await house.stop();
    }
  },
};

interface House {
  command(...args: string[]): Promise<void>;
  readonly database: pg.Client;
  stop(): Promise<void>;
}

async function startAirflow({ installed, databaseUrl, scratch }: PeerPlace): Promise<House> {
  const port = await freePort();
  const home = join(scratch, "airflow");
  await mkdir(join(home, "dags"), { recursive: true });
  await copyFile(join(import.meta.dirname, "airflow_dags.py"), join(home, "dags/bench.py"));
  const program = join(installed, "bin/airflow");
  const env = { ...process.env, ...environment(home, databaseUrl, port) };
  const command = (...args: string[]) => run(program, args, env as Record<string, string>);
  await command("db", "migrate");
  const started: ChildProcess[] = [["api-server", "--port", String(port)], ["dag-processor"], ["scheduler"]].map(
    (args) => spawn(program, args, { stdio: "ignore", env }),
  );
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  const stop = async () => {
    await database.end();
    for (const child of started) {
      const gone = new Promise((done) => child.once("exit", done));
      child.kill("SIGTERM");
      await Promise.race([gone, sleep(20_000)]);
      child.kill("SIGKILL");
    }
  };
  try {
    await untilHealthy(`http://127.0.0.1:${port}/api/v2/version`, READY_TIMEOUT_MS);
    await untilParsed(database);
    return { command, database, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function environment(home: string, databaseUrl: string, port: number): Record<string, string> {
  return {
    AIRFLOW_HOME: home,
    AIRFLOW__CORE__DAGS_FOLDER: join(home, "dags"),
    AIRFLOW__CORE__LOAD_EXAMPLES: "False",
    AIRFLOW__CORE__EXECUTOR: "LocalExecutor",
    AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION: "False",
    AIRFLOW__CORE__EXECUTION_API_SERVER_URL: `http://127.0.0.1:${port}/execution/`,
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: databaseUrl.replace("postgres://", "postgresql+psycopg2://"),
    AIRFLOW__API__PORT: String(port),
    AIRFLOW__API__HOST: "127.0.0.1",
  };
}

async function untilParsed(database: pg.Client): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  for (;;) {
    const { rows } = await database.query<{ n: number }>("select count(*)::int as n from dag");
    if ((rows[0]?.n ?? 0) >= 2) return;
    if (Date.now() > deadline) throw new Error("Airflow has not parsed the DAGs");
    await sleep(500);
  }
}

async function runOnce({ command, database }: House, dagId: string): Promise<Step[]> {
  await command("dags", "trigger", dagId);
  const deadline = Date.now() + RUN_TIMEOUT_MS;
  for (;;) {
    const { rows } = await database.query<{ state: string }>("select state from dag_run where dag_id = $1", [dagId]);
    if (rows[0]?.state === "success") break;
    if (rows[0]?.state === "failed" || Date.now() > deadline)
      throw new Error(`${dagId}: ${rows[0]?.state ?? "no run"}`);
    await sleep(500);
  }
  const { rows } = await database.query<Step>(
    `select extract(epoch from start_date)::float8 * 1000 as start, extract(epoch from end_date)::float8 * 1000 as end
     from task_instance where dag_id = $1`,
    [dagId],
  );
  return rows;
}
