/** Spark for tests: the installed one, with a catalog in memory and a receiver of OpenLineage events. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { ExecutionContext } from "ava";
import type { Config } from "../../src/config.ts";
import { loadConfig } from "../../src/config.ts";
import { installEngines } from "../../src/engines/install.ts";
import type { Database } from "../../src/metadata/database.ts";
import { storeLineageEvents } from "../../src/metadata/lineage.ts";
import { run } from "../../src/operators/spark-submit.run.ts";
import { sparkSubmitSchema } from "../../src/operators/spark-submit.ts";
import { testDatabase } from "../support/database.ts";
import { type ContextOptions, operatorContext } from "../support/operator-context.ts";

/** The part of an OpenLineage event that tests look at. */
export interface LineageEvent {
  eventType: string;
  job: { name: string };
  run: { runId: string; facets?: { parent?: { run: { runId: string }; root?: { run: { runId: string } } } } };
  inputs?: { name: string }[];
  outputs?: { name: string }[];
}

/** A Spark home and everything an attempt needs. */
export interface SparkWorld {
  readonly home: string;
  readonly config: Config;
  readonly database: Database;
  readonly events: LineageEvent[];
  /** Writes an application and returns its path. */
  application(name: string, lines: string[]): Promise<string>;
  submit(config: Record<string, unknown>, options?: Partial<ContextOptions>): ReturnType<typeof submit>;
}

/** The part of the platform's own logging that applications print through. */
const LOG4J2 = `rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSS}{UTC}Z %p %c{1}: %m%n%ex
logger.openlineage.name = io.openlineage
logger.openlineage.level = error
`;

/** A world of its own for a test; engines are installed when they are not. */
export async function sparkWorld(t: ExecutionContext): Promise<SparkWorld> {
  const home = await mkdtemp(join(tmpdir(), "qflow-spark-test-"));
  t.teardown(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));
  const installation = await installEngines(loadConfig(process.env), { note() {} } as never);
  const database = await testDatabase(t);
  const receiver = await lineageReceiver(database);
  t.teardown(receiver.stop);
  const confDir = join(home, "spark");
  await mkdir(join(confDir, "local"), { recursive: true });
  const defaults = [
    "spark.ui.enabled false",
    `spark.driver.extraClassPath ${installation.jars.join(":")}`,
    `spark.local.dir ${join(confDir, "local")}`,
    `spark.sql.warehouse.dir file://${join(home, "warehouse")}`,
    "spark.sql.shuffle.partitions 2",
  ];
  await writeFile(join(confDir, "spark-defaults.conf"), `${defaults.join("\n")}\n`);
  await writeFile(join(confDir, "log4j2.properties"), LOG4J2);
  const env = {
    PATH: process.env.PATH ?? "",
    JAVA_HOME: installation.javaHome,
    QFLOW_SPARK_HOME: installation.sparkHome,
    QFLOW_SPARK_PYTHON: installation.python,
    QFLOW_SPARK_CONF_DIR: confDir,
    QFLOW_LINEAGE_URL: receiver.url,
    QFLOW_LINEAGE_TOKEN: "lineage-token",
    QFLOW_DAGS: join(home, "dags"),
  };
  const config = loadConfig({ QFLOW_HOME: home, ...env });
  await mkdir(join(home, "jobs"), { recursive: true });
  return {
    home,
    config,
    database,
    events: receiver.events,
    application: async (name, lines) => {
      const path = join(home, "jobs", name);
      await writeFile(path, `${lines.join("\n")}\n`);
      return path;
    },
    submit: (submitConfig, options = {}) => submit({ home, database, config }, submitConfig, options),
  };
}

async function submit(
  world: { home: string; database: Database; config: Config },
  config: Record<string, unknown>,
  options: Partial<ContextOptions>,
) {
  const { context, recorded } = operatorContext({ home: world.home, database: world.database, ...options });
  const own = { ...context, config: world.config };
  const outcome = await run(sparkSubmitSchema.parse(config), own).then(
    (value) => ({ value, error: null }),
    (error: Error & { code?: string }) => ({ value: null, error }),
  );
  const text = recorded.lines.map((line) => line.message);
  return { ...outcome, attempt: own.attempt, recorded, text };
}

async function lineageReceiver(database: Database) {
  const events: LineageEvent[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const event = JSON.parse(String(request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body));
    if (request.headers.authorization === "Bearer lineage-token") {
      events.push(event);
      await storeLineageEvents(database, [event]);
    }
    response.writeHead(201).end();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  return { events, url: `http://127.0.0.1:${port}/api/v1/lineage`, stop: () => void server.close() };
}
