/** NOTIFY only wakes: empty payload, at most ten a second a channel and process, never relied on (everybody polls as well). */
import type { Database, Sql } from "./database.ts";

/** `work` = instances are queued; `scheduler` = a run ended, a dataset event came, something was asked for. */
export type WakeChannel = "qflow_work" | "qflow_scheduler";

const INTERVAL_MS = 100;

/** Wakes in the transaction of `sql`; for rare calls. */
export async function wakeWith(sql: Sql, channel: WakeChannel): Promise<void> {
  await sql.query("select pg_notify($1, '')", [channel]);
}

interface Pending {
  lastAt: number;
  timer: NodeJS.Timeout | null;
}

const pendingByDatabase = new WeakMap<Database, Map<WakeChannel, Pending>>();

/** Wakes outside any transaction, coalesced: at once when none was sent in the last 100 ms, else once after that. */
export function wakeSoon(database: Database, channel: WakeChannel): void {
  const channels = pendingByDatabase.get(database) ?? new Map<WakeChannel, Pending>();
  pendingByDatabase.set(database, channels);
  const state = channels.get(channel) ?? { lastAt: Number.NEGATIVE_INFINITY, timer: null };
  channels.set(channel, state);
  if (state.timer !== null) return;
  const wait = Math.max(0, state.lastAt + INTERVAL_MS - performance.now());
  state.timer = setTimeout(() => {
    state.timer = null;
    state.lastAt = performance.now();
    // A lost wake-up costs one poll interval.
    wakeWith(database, channel).catch(() => {});
  }, wait);
  state.timer.unref();
}
