/** A Spark of a test's own: warm session, Hive tables in a temporary warehouse, metastore in memory. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { loadConfig } from "../../../src/config.ts";
import { installEngines } from "../../../src/engines/install.ts";
import type { HiveResult } from "../../../src/operators/clients/hive.ts";
import { createStatements } from "./ddl.ts";

const JOBS = join(import.meta.dirname, "../../../jobs");
const SESSION = join(import.meta.dirname, "session.py");

interface Reply {
  value?: unknown;
  error?: string;
  trace?: string;
  seconds?: number;
}

/** Where pyspark is: its package folder and an interpreter that can import it. */
export interface SparkInstallation {
  home: string;
  python: string;
}

/** The project's own Spark; engines are installed when they are not. */
export async function installedSpark(): Promise<SparkInstallation> {
  const { python, sparkHome } = await installEngines(loadConfig(process.env), { note() {} } as never);
  return { python, home: sparkHome };
}

/** One warm Spark. Requests run one at a time. */
export class WarmSpark {
  /** Seconds each job took, in the order they ran. */
  readonly timings: { job: string; seconds: number }[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #folder: string;
  readonly #replies: AsyncIterator<string>;
  readonly #lines: Interface;

  private constructor(child: ChildProcessWithoutNullStreams, folder: string) {
    this.#child = child;
    this.#folder = folder;
    this.#lines = createInterface({ input: child.stdout });
    this.#replies = this.#lines[Symbol.asyncIterator]();
  }

  /** Starts Spark, creates the platform's tables, resolves when both are done (20 to 40 s). */
  static async start(conf: Record<string, string> = {}): Promise<WarmSpark> {
    const spark = await installedSpark();
    const folder = await mkdtemp(join(tmpdir(), "qflow-spark-"));
    const settings = {
      "spark.master": "local[2]",
      "spark.ui.enabled": "false",
      "spark.driver.host": "127.0.0.1",
      "spark.driver.bindAddress": "127.0.0.1",
      "spark.sql.warehouse.dir": join(folder, "warehouse"),
      "spark.hadoop.javax.jdo.option.ConnectionURL": `jdbc:derby:memory:qflow;create=true`,
      // Little data and many plans: compiling them thoroughly costs more than it brings.
      "spark.driver.extraJavaOptions": `-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=192m -Djava.io.tmpdir=${folder}`,
      "spark.local.dir": folder,
      ...conf,
    };
    const submit = Object.entries(settings).flatMap(([name, value]) => ["--conf", `"${name}=${value}"`]);
    // Started as Python, not through spark-submit, which would keep its standard input to itself.
    const child = spawn(spark.python, [SESSION], {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        SPARK_HOME: spark.home,
        PYTHONPATH: join(spark.home, ".."),
        PYSPARK_PYTHON: spark.python,
        PYSPARK_SUBMIT_ARGS: [...submit, "pyspark-shell"].join(" "),
        SPARK_LOCAL_IP: "127.0.0.1",
        PYTHONDONTWRITEBYTECODE: "1",
      },
    });
    let errors = "";
    child.stderr.on("data", (chunk: Buffer) => {
      errors = (errors + chunk).slice(-8000);
    });
    const session = new WarmSpark(child, folder);
    const ready = await session.#replies.next();
    if (ready.done) throw new Error(`Spark did not start:\n${errors}`);
    for (const statement of createStatements()) await session.sql(statement);
    return session;
  }

  /** Runs `jobs/<name>.py`; objects among the arguments are passed as JSON. Returns the job's result. */
  async job<R>(name: string, args: Record<string, unknown> = {}): Promise<R> {
    return this.script<R>(join(JOBS, `${name}.py`), args);
  }

  /** Runs a script as a job is run. */
  async script<R>(path: string, args: Record<string, unknown> = {}): Promise<R> {
    const list = Object.entries(args).flatMap(([key, value]) => [
      `--${key}`,
      typeof value === "string" ? value : JSON.stringify(value),
    ]);
    const reply = await this.#ask({ script: path, args: list });
    this.timings.push({ job: basename(path, ".py"), seconds: reply.seconds ?? 0 });
    return reply.value as R;
  }

  /** Runs one statement; rows as objects. */
  async sql<R = Record<string, unknown>>(statement: string): Promise<R[]> {
    return (await this.#ask({ sql: statement })).value as R[];
  }

  /** Runs one query; rows as arrays, decimals and dates as text. The shape of a Hive session's query. */
  async query(statement: string): Promise<HiveResult> {
    const rows = (await this.#ask({ query: statement })).value as HiveResult["rows"];
    return { columns: [], rows, truncated: false };
  }

  /** Ends Spark and removes its tables. */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stdin.end();
    await ended;
    this.#lines.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #ask(request: unknown): Promise<Reply> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const line = await this.#replies.next();
    if (line.done) throw new Error("Spark ended");
    const reply = JSON.parse(line.value) as Reply;
    if (reply.error !== undefined) throw new Error(reply.trace ?? reply.error);
    return reply;
  }
}
