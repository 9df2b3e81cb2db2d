/** The scheduler's part in runs for tests: what decides about waits, and nothing that makes runs. */
import type { Config } from "../config.ts";
import type { Database } from "../metadata/database.ts";
import { findConnection } from "../metadata/secrets/find-connection.ts";
import { startWaits, type Waits } from "./waits.ts";

/** Between two looks: nobody else uses the database. In milliseconds. */
const POLL_MS = 20;

/** Starts to decide about waits, with the connections that tasks have. */
export function testWaits(database: Database, config: Config): Waits {
  return startWaits(database, {
    pollMs: POLL_MS,
    connection: (id) => findConnection(database, config, id),
    warn: (message) => console.error(message),
  });
}
