/** Brings the engines of a QFLOW_HOME up and keeps them up until told to stop. */
import { mkdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config.ts";
import { QflowError } from "../errors.ts";
import { BLUEPRINTS } from "./blueprints.ts";
import { type Engine, makeEngine, type OnStarted } from "./engine.ts";
import { databaseServer, engineEnvironment, lakeOf, QFLOW_DATABASE } from "./environment.ts";
import { lakeEngines } from "./groups.ts";
import { hdfsClientSettings } from "./hdfs.ts";
import {
  CORE_ENGINES,
  ENGINE_NAMES,
  type EngineName,
  type HomeState,
  openHome,
  publishPorts,
  settlePorts,
} from "./home.ts";
import type { Installation } from "./install.ts";
import { installFor } from "./install-for.ts";
import { jarSetFiles } from "./jar-sets.ts";
import { prepareMetastore } from "./metastore.ts";
import { ensureDatabase, postgresUrl } from "./postgres.ts";
import { sweepInstance } from "./process.ts";
import { type ProcessLock, tryLock } from "./process-lock.ts";
import type { Progress } from "./progress.ts";
import { writeSparkConf } from "./spark-conf.ts";
import { type EngineEvent, type Supervision, superviseEngines } from "./supervise.ts";
import { sparkOnYarnSettings, yarnFolder } from "./yarn.ts";

/** How the engines are started. */
export interface StartOptions {
  /** Which ones. Default: those of every platform. */
  readonly names?: readonly EngineName[];
  /** Those that follow with `ensure`: their addresses are known from the start. */
  readonly later?: readonly EngineName[];
  readonly progress: Progress;
  readonly onEvent: (event: EngineEvent) => void;
}

/** Engines that run under our supervision. */
export interface RunningEngines {
  /**
   * Starts those that do not run yet, and PostgreSQL where one leans on it; resolves when they are ready. Installs what they need;
   * once something beside Kafka is installed, Spark drivers of other processes have their metastore and configuration, too.
   */
  ensure(names: readonly EngineName[]): Promise<void>;
  /** Environment for schedulers, workers and the API; holds passwords. */
  environment(): Record<string, string>;
  /** Ends what was started here, and every process that carries this home's marker. */
  stop(): Promise<void>;
}

/** Engines that lean on no other, and that Spark is not prepared for. */
const ALONE: ReadonlySet<EngineName> = new Set(["kafka", "namenode", "datanode", "resourcemanager", "nodemanager"]);

const STRAY_PATIENCE_MS = 5_000;
const LARGEST_LOG_BYTES = 20 * 1024 * 1024;

/** The file by which one supervisor at a time owns a home's engines. */
export function homeLockFile(home: string): string {
  return join(home, "run", "engines.lock");
}

/**
 * Starts engines, after ending whatever an earlier supervisor of this home left. Throws HOME_IN_USE when one is alive,
 * PORT_TAKEN, PREREQUISITE_MISSING, DOWNLOAD_FAILED or ENGINE_FAILED; then nothing is left running.
 */
export async function startEngines(config: Config, options: StartOptions): Promise<RunningEngines> {
  await mkdir(config.home, { recursive: true });
  const lock = await tryLock(homeLockFile(config.home));
  if ("heldBy" in lock) {
    throw new QflowError("HOME_IN_USE", `the engines of ${config.home} run under process ${lock.heldBy.pid}`, {
      details: { home: config.home, pid: lock.heldBy.pid },
    });
  }
  const house = new EngineHouse(config, options, lock, await openHome(config.home));
  try {
    await sweepInstance(house.instance, STRAY_PATIENCE_MS);
    const names = options.names ?? CORE_ENGINES;
    await house.settlePorts([...CORE_ENGINES, ...lakeEngines(config), ...names, ...(options.later ?? [])]);
    await house.ensure(names);
    return house;
  } catch (error) {
    await house.stop();
    throw error;
  }
}

class EngineHouse implements RunningEngines {
  readonly #config: Config;
  readonly #options: StartOptions;
  readonly #lock: ProcessLock;
  readonly #engines = new Map<EngineName, { readonly engine: Engine; readonly ready: Promise<void> }>();
  readonly #supervisions: Supervision[] = [];
  #state: HomeState;
  #installation: Installation | null = null;
  #spark: Promise<void> | null = null;
  #published: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | null = null;

  constructor(config: Config, options: StartOptions, lock: ProcessLock, state: HomeState) {
    this.#config = config;
    this.#options = options;
    this.#lock = lock;
    this.#state = state;
  }

  get instance(): string {
    return this.#state.id;
  }

  /** All ports are fixed before any is told to anybody. */
  async settlePorts(names: readonly EngineName[]): Promise<void> {
    for (const name of new Set(names)) this.#state = await settlePorts(this.#config.home, this.#state, name);
  }

  async ensure(wanted: readonly EngineName[]): Promise<void> {
    const names = wanted.includes("hive") ? [...lakeEngines(this.#config), ...wanted] : wanted;
    if (names.some((name) => name !== "postgres")) {
      this.#installation = await installFor(this.#config, names, this.#options.progress);
    }
    const needsPostgres = names.some((name) => !ALONE.has(name));
    // Nothing of Spark has to do with the engines that stand alone: they start meanwhile.
    await Promise.all([
      ...names.filter((name) => ALONE.has(name)).map((name) => this.#run(name)),
      needsPostgres ? this.#ensureCore(names.filter((name) => !ALONE.has(name))) : null,
    ]);
  }

  async #ensureCore(names: readonly EngineName[]): Promise<void> {
    await this.#run("postgres");
    if (this.#installation) this.#spark ??= this.#prepareSpark(this.#installation);
    await this.#spark;
    // Spark and the FTP server have nothing to do with each other.
    await Promise.all(names.map((name) => (name === "hive" ? this.#runHive() : this.#run(name))));
  }

  /** Hive looks at the lake when it starts. */
  async #runHive(): Promise<void> {
    await Promise.all(lakeEngines(this.#config).map((name) => this.#run(name)));
    await this.#run("hive");
  }

  environment(): Record<string, string> {
    return engineEnvironment(this.#config, this.#state, this.#installation);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  /** The engine is started once, whoever asks and how often. */
  #run(name: EngineName): Promise<void> {
    const known = this.#engines.get(name);
    if (known) return known.ready;
    const engine = this.#make(name);
    const ready = this.#start(engine);
    this.#engines.set(name, { engine, ready });
    return ready;
  }

  async #start(engine: Engine): Promise<void> {
    this.#options.onEvent({ engine: engine.name, kind: "starting" });
    await rotateLog(this.#logFile(engine.name));
    await engine.start();
    if (engine.name === "postgres") await ensureDatabase(this.#url("postgres"), QFLOW_DATABASE);
    await this.#publish(engine.name);
    if (this.#stopping) return;
    this.#supervisions.push(superviseEngines([engine], this.#options.onEvent));
    this.#options.onEvent({ engine: engine.name, kind: "ready" });
  }

  /** One after another: each writes the whole file. */
  #publish(name: EngineName): Promise<void> {
    this.#published = this.#published.then(async () => {
      this.#state = await publishPorts(this.#config.home, this.#state, name);
    });
    return this.#published;
  }

  /** Metastore and configuration, once, before any Spark runs: workers' drivers use them without the Thrift Server. */
  async #prepareSpark({ jars, hiveSchema, sparkHome, python }: Installation): Promise<void> {
    const { passwords, ports } = this.#state;
    const metastorePassword = passwords.metastore;
    await prepareMetastore({
      url: (database) => this.#url(database),
      password: metastorePassword,
      scripts: hiveSchema,
    });
    await writeSparkConf({
      home: this.#config.home,
      lakeDir: lakeOf(this.#config, this.#state),
      jars: [...jars, ...(ports.kafka ? jarSetFiles(this.#config, "sparkKafka") : [])],
      hadoop: ports.namenode ? hdfsClientSettings() : {},
      cluster: ports.resourcemanager ? sparkOnYarnSettings(yarnFolder(this.#config.home), sparkHome, python) : {},
      postgresPort: ports.postgres.port,
      metastorePassword,
    });
  }

  #make(name: EngineName): Engine {
    const blueprint = BLUEPRINTS[name];
    const launch = (onStarted: OnStarted) =>
      blueprint.launch({
        config: this.#config,
        state: this.#state,
        installation: () => this.#installed(),
        logFile: this.#logFile(name),
        onStarted,
      });
    return makeEngine({ name, launch, health: () => blueprint.health(this.#state) }, join(this.#config.home, "run"));
  }

  async #stopAll(): Promise<void> {
    const ended = this.#supervisions.map((supervision) => supervision.end());
    // PostgreSQL goes last: the metastore's clients may still write to it.
    for (const name of ENGINE_NAMES.toReversed()) {
      const known = this.#engines.get(name);
      if (!known) continue;
      await known.engine.stop();
      await known.ready.catch(() => {});
      await known.engine.stop();
      this.#options.onEvent({ engine: name, kind: "stopped" });
    }
    await Promise.all(ended);
    await sweepInstance(this.instance, STRAY_PATIENCE_MS);
    await this.#lock.release();
  }

  #installed(): Installation {
    if (this.#installation) return this.#installation;
    throw new QflowError("INTERNAL", "an engine was started before the engines were installed");
  }

  #url(database: string): string {
    return postgresUrl(databaseServer(this.#state), database);
  }

  #logFile(name: EngineName): string {
    return join(this.#config.home, "log", `${name}.log`);
  }
}

/** A log that has become large is set aside at a start; the one before it goes. */
async function rotateLog(file: string): Promise<void> {
  const found = await stat(file).catch(() => null);
  if (found && found.size > LARGEST_LOG_BYTES) await rename(file, `${file}.1`);
}
