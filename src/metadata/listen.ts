/** Hears wake-ups on a connection of its own; replaces the connection when it breaks or goes silent. */
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import type { Database } from "./database.ts";
import { backoffMs } from "./transient.ts";
import type { WakeChannel } from "./wake.ts";

/** A connection that does not answer within this time is taken for half-open. */
const ANSWER_MS = 5_000;
const CHECK_EVERY_MS = 10_000;

/**
 * Calls `onWake` for every wake-up on a channel, and once after every reconnect (what came meanwhile was missed). Wake-ups may
 * be lost: who uses it polls as well. Returns what stops it.
 */
export function listen(database: Database, channel: WakeChannel, onWake: () => void): () => Promise<void> {
  const stopped = new AbortController();
  const loop = keepListening(database, channel, { onWake, signal: stopped.signal });
  return async () => {
    stopped.abort();
    await loop;
  };
}

interface Listening {
  onWake: () => void;
  signal: AbortSignal;
}

async function keepListening(database: Database, channel: WakeChannel, { onWake, signal }: Listening): Promise<void> {
  for (let failures = 0; !signal.aborted; failures++) {
    const client = await database.connect().catch(() => null);
    if (client) {
      const answered = await hear(client, channel, { onWake, signal });
      if (answered) failures = 0;
    }
    if (!signal.aborted) await pause(50 + backoffMs(failures, Math.random()), signal);
  }
}

/** Listens until the connection breaks or the signal says stop. Resolves to whether it ever worked. */
async function hear(client: pg.PoolClient, channel: WakeChannel, { onWake, signal }: Listening): Promise<boolean> {
  const broken = new AbortController();
  const end = AbortSignal.any([broken.signal, signal]);
  const onBroken = () => broken.abort();
  client.on("notification", onWake);
  client.on("error", onBroken);
  client.on("end", onBroken);
  let worked = false;
  try {
    await answer(client.query(`listen ${channel}`));
    worked = true;
    onWake();
    while (!end.aborted) {
      await pause(CHECK_EVERY_MS, end);
      if (!end.aborted) await answer(client.query("select 1"));
    }
  } catch {
    // The next connection says whether the database is back.
  }
  client.removeListener("notification", onWake);
  client.removeListener("end", onBroken);
  // Never back to the pool: it would still listen. The error listener stays, a dying connection may yet emit one.
  client.release(true);
  return worked;
}

async function answer(query: Promise<unknown>): Promise<void> {
  const late = new AbortController();
  const timeout = sleep(ANSWER_MS, undefined, { signal: late.signal }).then(
    () => {
      throw new Error("the connection does not answer");
    },
    () => {},
  );
  await Promise.race([query, timeout]).finally(() => late.abort());
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
