/** What `qflow scheduler` runs: the loop, the sender of notifications, the loader of DAG files. */
import { retentionPolicy } from "../../metadata/retention.ts";
import { findConnection } from "../../metadata/secrets/find-connection.ts";
import { startSender } from "../../notifications/index.ts";
import { startScheduler } from "../../scheduler/scheduler.ts";
import { keepDagsStored } from "../dag-loader.ts";
import { logLine } from "../output.ts";
import { untilSignal } from "../signals.ts";
import type { ProcessParts } from "./parts.ts";

/** Runs a scheduler until it is told to stop, or outdated. */
export async function runScheduler({ database, config, outdated }: ProcessParts): Promise<void> {
  const stopped = untilSignal();
  const scheduler = await startScheduler(database, {
    warn: logLine,
    retention: retentionPolicy(config.retention),
    connection: (id) => findConnection(database, config, id),
  });
  const sender = startSender({
    database,
    connection: (id) => findConnection(database, config, id),
    baseUrl: `http://${config.host}:${config.port}`,
    warn: logLine,
  });
  const dags = await keepDagsStored(database, config, logLine);
  logLine("the scheduler runs");
  await Promise.race([stopped, outdated]);
  await dags.close();
  await sender.stop();
  await scheduler.stop();
}
