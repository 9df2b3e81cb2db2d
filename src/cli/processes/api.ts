/** What `qflow api` runs: the HTTP server. */
import { startApi } from "../../api/server.ts";
import { messageOf } from "../../errors.ts";
import { logLine } from "../output.ts";
import { untilSignal } from "../signals.ts";
import type { ProcessParts } from "./parts.ts";

/** Serves until it is told to stop, or outdated. Throws PORT_TAKEN. */
export async function runApi({ database, config, outdated }: ProcessParts): Promise<void> {
  const stopped = untilSignal();
  const api = await startApi({
    database,
    config,
    hive: config.connections.hive_default ?? null,
    report: (error) => logLine(error instanceof Error ? (error.stack ?? error.message) : messageOf(error)),
  });
  logLine(`the API listens on ${api.url}`);
  await Promise.race([stopped, outdated]);
  await api.close();
}
