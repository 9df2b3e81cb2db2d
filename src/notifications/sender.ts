/** Sends what the outbox holds: each at least once, with a lease, so that several senders share it. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "../dag/operator.ts";
import { messageOf, QflowError } from "../errors.ts";
import type { Database } from "../metadata/database.ts";
import { listen } from "../metadata/listen.ts";
import {
  type DueNotification,
  forgetSent,
  leaseNotifications,
  nextNotificationInMs,
  settleFailed,
  settleSent,
} from "../metadata/notifications.ts";
import { backoffMs, isTransient } from "../metadata/transient.ts";
import { send } from "./channel.ts";

/** How a sender is set up. */
export interface SenderOptions {
  readonly database: Database;
  /** A connection by id. Rejects where there is none. */
  readonly connection: (id: string) => Promise<Connection>;
  /** Where the web client is, for links; null = no links. */
  readonly baseUrl: string | null;
  /** Told what went wrong; the loop goes on. */
  readonly warn: (message: string) => void;
  /** Hands a notification to its channel. Default: over the network. */
  readonly send?: (due: DueNotification, connection: Connection, context: Parameters<typeof send>[2]) => Promise<void>;
  /** Longest time between two looks, in milliseconds. Default 30,000; a new notification wakes it at once. */
  readonly pollMs?: number;
}

/** A running sender. */
export interface Sender {
  /** Gives up what is being sent, which stays in the outbox, and ends the loop. */
  stop(): Promise<void>;
}

/** Sent at once. */
const TOGETHER = 8;
/** A channel that has not taken a notification within this time has failed. */
const SEND_SECONDS = 30;
/** Longer than a send may take, so that none is sent twice while its sender is alive. */
const LEASE_SECONDS = 2 * SEND_SECONDS;
const FORGET_EVERY_MS = 3_600_000;

/** Sends what is due, once. Returns how many it took. */
export async function sendDue(options: SenderOptions, signal: AbortSignal): Promise<number> {
  const due = await leaseNotifications(options.database, TOGETHER, LEASE_SECONDS);
  await Promise.all(due.map((one) => sendOne(options, one, signal)));
  return due.length;
}

async function sendOne(options: SenderOptions, due: DueNotification, stopping: AbortSignal): Promise<void> {
  const { database, connection, baseUrl, warn } = options;
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(SEND_SECONDS * 1000)]);
  try {
    await (options.send ?? send)(due, await connection(due.channel), { baseUrl, signal });
    await settleSent(database, due);
  } catch (error) {
    const outlook = error instanceof QflowError && error.code === "NOTIFICATION_REFUSED" ? "for good" : "again";
    await settleFailed(database, due, messageOf(error), outlook);
    warn(`notification ${due.id} to ${due.channel} was not sent: ${messageOf(error)}`);
  }
}

/** Starts the loop in this process. */
export function startSender(options: SenderOptions): Sender {
  const stopping = new AbortController();
  let woken = Promise.withResolvers<void>();
  const unlisten = listen(options.database, "qflow_scheduler", () => woken.resolve());
  let forgotAt = Number.NEGATIVE_INFINITY;
  const look = async (): Promise<number> => {
    while ((await sendDue(options, stopping.signal)) === TOGETHER && !stopping.signal.aborted);
    if (performance.now() - forgotAt > FORGET_EVERY_MS) {
      forgotAt = performance.now();
      await forgetSent(options.database);
    }
    const next = await nextNotificationInMs(options.database);
    return Math.max(1, Math.min(options.pollMs ?? 30_000, next ?? Number.POSITIVE_INFINITY));
  };
  const loop = (async () => {
    for (let failures = 0; !stopping.signal.aborted; ) {
      woken = Promise.withResolvers<void>();
      const waitMs = await look().catch((error: unknown) => {
        if (!isTransient(error)) options.warn(messageOf(error));
        return null;
      });
      failures = waitMs === null ? failures + 1 : 0;
      const rest = sleep(waitMs ?? 1_000 + backoffMs(failures, Math.random()), undefined, { signal: stopping.signal });
      await Promise.race([waitMs === null ? new Promise(() => {}) : woken.promise, rest.catch(() => {})]);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all([unlisten(), loop]);
    },
  };
}
