/** idle: what an installation with nothing to do uses. */
import { setTimeout as sleep } from "node:timers/promises";
import { figure } from "../figure.ts";
import { fleet } from "./dag-files.ts";
import { cpuSeconds, pssMiB } from "./processes.ts";
import type { Row } from "./row.ts";
import type { Stand } from "./stand.ts";

/** What only starting needs has ended: it is a minute later. */
const SETTLE_MS = 75_000;
const SECONDS = 30;

/** Scheduler, worker and API with 100 DAGs that are due once a year, not paused; nothing has run yet. */
export const idle: Row = {
  dags: fleet("idle", { dags: 100, tasks: 10 }, 'cron("0 0 1 1 *", { timezone: "UTC" })'),
  besides: ["api"],
  async *measure(stand) {
    await stand.unpause("idle_%");
    await sleep(SETTLE_MS);
    const server = await stand.serverPids();
    const own = await stand.pids();
    const before = { server: await cpuSeconds(server), own: await cpuSeconds(own), commits: await commits(stand) };
    await sleep(SECONDS * 1000);
    const perMinute = 60 / SECONDS;
    yield figure("idle CPU, qflow", "s a minute", [((await cpuSeconds(own)) - before.own) * perMinute]);
    yield figure("idle CPU, PostgreSQL", "s a minute", [((await cpuSeconds(server)) - before.server) * perMinute]);
    yield figure("idle PSS, qflow", "MiB", [await pssMiB(own)]);
    yield figure("idle PSS, PostgreSQL", "MiB", [await pssMiB(server)]);
    yield figure("idle transactions", "a second", [((await commits(stand)) - before.commits) / SECONDS]);
  },
};

async function commits(stand: Stand): Promise<number> {
  const { rows } = await stand.database.query<{ n: number }>(
    "select (xact_commit + xact_rollback)::float8 as n from pg_stat_database where datname = current_database()",
  );
  return rows[0]?.n ?? Number.NaN;
}
