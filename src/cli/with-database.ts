/** A connection to qflow's database for one command. */
import { randomUUID } from "node:crypto";
import { type Database, openDatabase } from "../metadata/database.ts";
import { migrate } from "../metadata/migrate.ts";
import type { CommandContext } from "./program.ts";
import { withPostgres } from "./with-engines.ts";

/** Connections a command may hold at once. */
const CONNECTIONS = 4;

/**
 * Hands `work` the database: the one that runs for this QFLOW_HOME, QFLOW_DATABASE_URL, or an embedded one that is started for
 * the time of the command.
 */
export function withDatabase<T>(context: CommandContext, work: (database: Database) => Promise<T>): Promise<T> {
  return withPostgres(context, async (url) => {
    const database = openDatabase(url, { max: CONNECTIONS, applicationName: "qflow-cli" });
    try {
      await migrate(database);
      return await work(database);
    } finally {
      await database.close();
    }
  });
}

/** Hands `work` an empty, migrated database that is dropped afterwards. */
export function withScratchDatabase<T>(context: CommandContext, work: (database: Database) => Promise<T>): Promise<T> {
  return withPostgres(context, async (url) => {
    const name = `qflow_scratch_${randomUUID().replaceAll("-", "")}`;
    const server = openDatabase(url, { max: 1, applicationName: "qflow-cli" });
    try {
      await server.query(`create database ${name}`);
      const scratch = new URL(url);
      scratch.pathname = `/${name}`;
      const database = openDatabase(scratch.href, { max: 2 * CONNECTIONS, applicationName: "qflow-test" });
      try {
        await migrate(database);
        return await work(database);
      } finally {
        await database.close();
      }
    } finally {
      await server.query(`drop database if exists ${name} with (force)`);
      await server.close();
    }
  });
}
