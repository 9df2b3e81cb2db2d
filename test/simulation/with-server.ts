/** A database for simulations, on the PostgreSQL that a test run shares. */
import { randomBytes } from "node:crypto";
import pg from "pg";
import type { SharedPostgres } from "../support/postgres.ts";
import { SimulatedServer } from "./server.ts";
import { installVirtualTime } from "./virtual-time.ts";

/** Hands `work` a simulated server on a database of its own, which is dropped afterwards. */
export async function withSimulatedServer(
  shared: SharedPostgres,
  work: (server: SimulatedServer) => Promise<void>,
): Promise<void> {
  if (shared.error) throw new Error(`the template database could not be made: ${shared.error}`);
  installVirtualTime();
  const name = `sim_${randomBytes(8).toString("hex")}`;
  const admin = new pg.Client({ connectionString: shared.url });
  await admin.connect();
  try {
    await admin.query(`create database ${name} template ${shared.template}`);
    const url = new URL(shared.url);
    url.pathname = `/${name}`;
    const server = await SimulatedServer.over(url.href);
    await work(server);
    await server.close();
  } finally {
    await admin.query(`drop database if exists ${name} with (force)`);
    await admin.end();
  }
}
