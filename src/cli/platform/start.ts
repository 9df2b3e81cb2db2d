/** `qflow start` (what `npm start` runs): Q Company's platform on a fresh machine, from nothing to a page in a browser. */
import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Config, loadConfig } from "../../config.ts";
import { enginesFor, lakeEngines, progressOn, type RunningEngines, startEngines } from "../../engines/index.ts";
import { messageOf } from "../../errors.ts";
import { createLoginLink } from "../../metadata/access.ts";
import { type Database, openDatabase } from "../../metadata/database.ts";
import { migrate } from "../../metadata/migrate.ts";
import { createRun, unpauseDag } from "../../metadata/runs.ts";
import { resumeService } from "../../metadata/services/actions.ts";
import { listDags } from "../../metadata/views/dag-views.ts";
import { listServices } from "../../metadata/views/service-views.ts";
import { withKafka } from "../../operators/clients/kafka.ts";
import { storeDags } from "../dag-loader.ts";
import { EXIT, say } from "../output.ts";
import type { CommandContext } from "../program.ts";
import { untilSignal } from "../signals.ts";
import { ensureWebClient } from "../web-client.ts";
import { ARRIVALS, retryFailedRuns, untilAtRest, untilCatalogued } from "./at-rest.ts";
import { keepFeeding, prepareFeed } from "./feeder.ts";
import { settleLake } from "./lake-choice.ts";
import { type Processes, settleApiPort, startProcesses } from "./processes.ts";

/**
 * What happens when everything runs: `stay` = run Q Company's DAGs until Ctrl-C; `once` = work through what is there, then
 * end; `serve` = touch no DAG, until Ctrl-C.
 */
export type StartMode = "stay" | "once" | "serve";

/** What is started. */
export interface StartRequest {
  readonly mode: StartMode;
  /** Engines beside those of every platform, by the names people use: `stream`, `hdfs`, `yarn` … */
  readonly extras: readonly string[];
}

/** Tag of the DAGs and services that `start` un-pauses, and of those that it un-pauses beside them `--with stream`. */
const PLATFORM_TAG = "qcompany";
const STREAM_TAG = "qcompany_stream";
const STREAM_CONNECTION = "kafka_default";
const STREAM_TOPIC = "app-events";
const STREAM_PARTITIONS = 3;
const CONNECTIONS = 4;

/** Runs the platform. Resolves to the exit code when it has been stopped. */
export async function startPlatform(context: CommandContext, { mode, extras }: StartRequest): Promise<number> {
  const startedAt = Date.now();
  const port = await settleApiPort(context.config);
  const config = { ...(await settleLake(context, extras)), port };
  const stopped = untilSignal();
  let starting = true;
  void stopped.then(() => {
    // What is half started has guards that end it; waiting for a download to finish first would help nobody.
    if (starting) process.exit(130);
  });
  const engines = await startEngines(config, {
    names: ["postgres", "ftp", ...enginesFor(config, extras), ...lakeEngines(config)],
    progress: progressOn(process.stderr),
    onEvent: (event) => {
      if (event.kind !== "stopped") say(`${event.engine}: ${event.kind}${event.detail ? ` (${event.detail})` : ""}`);
    },
  });
  const house = new House(engines);
  try {
    const running = await bringUp(house, context, config);
    starting = false;
    say(`Everything is up after ${Math.round((Date.now() - startedAt) / 1000)} s.`);
    const tags = extras.includes("stream") ? [PLATFORM_TAG, STREAM_TAG] : [PLATFORM_TAG];
    if (mode === "once") return await workOnce(running, stopped);
    if (mode === "stay") await setGoing(running, tags);
    return await stay(running, stopped, mode);
  } finally {
    say("Stopping …");
    await house.close();
  }
}

/** What has to be ended, in reverse order of its start. */
class House {
  readonly #closers: (() => Promise<unknown>)[];

  constructor(engines: RunningEngines) {
    this.#closers = [() => engines.stop()];
    this.engines = engines;
  }

  readonly engines: RunningEngines;

  onClose(close: () => Promise<unknown>): void {
    this.#closers.push(close);
  }

  /** Ends everything, also when ending one thing fails. */
  async close(): Promise<void> {
    for (const close of this.#closers.toReversed()) await close().catch((error: unknown) => say(messageOf(error)));
  }
}

interface RunningPlatform {
  readonly config: Config;
  readonly database: Database;
  readonly processes: Processes;
}

async function bringUp(house: House, context: CommandContext, wanted: Config): Promise<RunningPlatform> {
  const client = ensureWebClient();
  await prepareFeed(wanted);
  const hive = house.engines.ensure(["hive"]);
  hive.catch(() => {});
  const env = processEnvironment(context, wanted, house.engines);
  const config = loadConfig(env);
  const database = openDatabase(config.databaseUrl ?? "", { max: CONNECTIONS, applicationName: "qflow-start" });
  house.onClose(() => database.close());
  await migrate(database);
  const report = await storeDags(database, config);
  for (const file of report.broken) say(`import error in ${file}: npx qflow dags check`);
  await client;
  const processes = await startProcesses(config, env, say);
  house.onClose(() => processes.stop());
  await hive;
  return { config, database, processes };
}

/** The environment of scheduler, worker and api: the user's settings, the engines' addresses, a token for lineage. */
function processEnvironment(context: CommandContext, config: Config, engines: RunningEngines): Record<string, string> {
  const given = Object.entries(context.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    ...Object.fromEntries(given),
    ...engines.environment(),
    QFLOW_SPARK_START: "eager",
    QFLOW_PORT: String(config.port),
    QFLOW_LINEAGE_URL: `http://${config.host}:${config.port}/api/v1/lineage`,
    QFLOW_LINEAGE_TOKEN: randomBytes(24).toString("base64url"),
  };
}

async function workOnce({ config, database, processes }: RunningPlatform, stopped: Promise<unknown>): Promise<number> {
  say(`Web UI: ${await createLoginLink(database, processes.baseUrl)}`);
  const ending = new AbortController();
  void stopped.then(() => ending.abort());
  try {
    await retryFailedRuns(database);
    await unpauseTagged(database, PLATFORM_TAG);
    const rest = await untilAtRest(database, say, ending.signal);
    await untilCatalogued(database, ending.signal);
    for (const run of rest.failed)
      say(`✕ ${run.dagId} ${run.runId} failed: npx qflow runs show ${run.dagId} '${run.runId}'`);
    if (rest.failed.length === 0) say(`● Everything is loaded. Reports: ${join(config.reportsDir, "b2b")}`);
    return rest.failed.length === 0 ? EXIT.done : EXIT.failed;
  } catch (error) {
    if (ending.signal.aborted) return 130;
    throw error;
  }
}

async function setGoing({ config, database }: RunningPlatform, tags: readonly string[]): Promise<void> {
  await retryFailedRuns(database);
  if (tags.includes(STREAM_TAG)) await makeTopic(config);
  for (const tag of tags) await unpauseTagged(database, tag);
  await createRun(database, { dagId: ARRIVALS.dagId, by: "start" });
  await mkdir(join(config.reportsDir, "b2b"), { recursive: true });
}

/** The topic that the app's events are sent to; a broker makes none by itself. */
async function makeTopic(config: Config): Promise<void> {
  const connection = config.connections[STREAM_CONNECTION];
  if (connection === undefined) return;
  await withKafka(connection, { clientId: "qflow-start" }, (kafka) =>
    kafka.createTopic(STREAM_TOPIC, { partitions: STREAM_PARTITIONS }),
  );
}

async function stay(
  { config, database, processes }: RunningPlatform,
  stopped: Promise<unknown>,
  mode: StartMode,
): Promise<number> {
  const feeding = mode === "stay" ? keepFeeding(config, say) : null;
  say("");
  say(`Web UI    ${await createLoginLink(database, processes.baseUrl)}`);
  say("          (the link works once; `npx qflow login` makes another)");
  say(`Reports   ${join(config.reportsDir, "b2b")}`);
  say(`Tables    npx qflow sql "show tables in enriched"`);
  say("Engines   npx qflow engines status");
  say("Ctrl-C stops everything.");
  await stopped;
  await feeding?.stop();
  return EXIT.done;
}

async function unpauseTagged(database: Database, tag: string): Promise<void> {
  const page = await listDags(
    database,
    { active: true, paused: true, tags: [tag] },
    { limit: 1_000, offset: 0, orderBy: [] },
  );
  for (const { dag_id } of page.rows) await unpauseDag(database, dag_id);
  const services = (await listServices(database)).filter(({ tags, is_paused }) => is_paused && tags.includes(tag));
  for (const { service_id } of services) await resumeService(database, service_id);
}
