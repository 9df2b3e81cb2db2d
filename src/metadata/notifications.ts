/** The outbox: notifications that are to be sent, are sent, or were given up. */
import type { ServiceEvent } from "../dag/service-spec.ts";
import type { Json, NotifyEvent } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";
import type { Database, Sql } from "./database.ts";
import { Filter, type Page, type Slice } from "./views/filter.ts";
import { wakeWith } from "./wake.ts";

/** What a notification says; who reads it knows the event by its name. Instants are ISO 8601. */
export interface NotificationPayload {
  readonly event: NotifyEvent | ServiceEvent;
  readonly at: string;
  /** One of the two is there: it is about a DAG, or about a service. */
  readonly dag_id?: string;
  readonly service_id?: string;
  readonly [fact: string]: Json | undefined;
}

/** A notification that is to be sent now. */
export interface DueNotification {
  readonly id: number;
  /** Id of the connection it goes to. */
  readonly channel: string;
  readonly payload: NotificationPayload;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly lease: string;
}

/** States of a notification. */
export const NOTIFICATION_STATES = ["pending", "sent", "dead"] as const;
/** One of {@link NOTIFICATION_STATES}. */
export type NotificationState = (typeof NOTIFICATION_STATES)[number];

/** A notification as lists show it. */
export interface NotificationRow {
  readonly id: string;
  readonly event: NotifyEvent | ServiceEvent;
  readonly channel: string;
  readonly dag_id: string | null;
  readonly service_id: string | null;
  readonly state: NotificationState;
  readonly attempts: number;
  /** When the next attempt is due; null where none is. */
  readonly next_at: Date | null;
  readonly error: string | null;
  readonly created_at: Date;
  readonly ended_at: Date | null;
  readonly payload: NotificationPayload;
}

/** Attempts before a notification is given up: with the pauses between them, about an hour and a half. */
export const ATTEMPT_LIMIT = 10;
const FIRST_PAUSE_SECONDS = 10;
const LONGEST_PAUSE_SECONDS = 3_600;
/** Days that sent notifications are kept. */
const KEPT_DAYS = 30;

/** Takes up to `limit` due notifications for `seconds`; several senders share them. Who does not settle one in time loses it to others. */
export async function leaseNotifications(sql: Sql, limit: number, seconds: number): Promise<DueNotification[]> {
  const result = await sql.query<DueNotification>(
    `with due as (
       select id from notification where state = 'pending' and next_at <= now() order by next_at, id limit $1 for no key update skip locked
     )
     update notification n set attempts = attempts + 1, lease = gen_random_uuid(), next_at = now() + make_interval(secs => $2)
     from due where n.id = due.id
     returning n.id::float8 as id, n.channel, n.payload, n.attempts as attempt, n.lease`,
    [limit, seconds],
  );
  return result.rows.sort((a, b) => a.id - b.id);
}

/** Records that it was sent; changes nothing where somebody else has taken it meanwhile. */
export async function settleSent(sql: Sql, { id, lease }: Pick<DueNotification, "id" | "lease">): Promise<void> {
  await sql.query(
    `update notification set state = 'sent', ended_at = now(), lease = null, error = null
     where id = $1 and lease = $2 and state = 'pending' -- guard: notification-lease
    `,
    [id, lease],
  );
}

/**
 * Records that it could not be sent. It is tried again after a pause that doubles with each attempt, with jitter, until
 * {@link ATTEMPT_LIMIT}; `for good` gives it up at once.
 */
export async function settleFailed(
  sql: Sql,
  { id, lease }: Pick<DueNotification, "id" | "lease">,
  error: string,
  outlook: "again" | "for good",
): Promise<void> {
  await sql.query(
    `update notification set lease = null, error = $3,
       state = case when $4 or attempts >= $5 then 'dead' else 'pending' end,
       ended_at = case when $4 or attempts >= $5 then now() end,
       next_at = now() + make_interval(secs => least($7, $6 * power(2, attempts - 1)) * (0.5 + random() / 2))
     where id = $1 and lease = $2 and state = 'pending'`,
    [
      id,
      lease,
      error.slice(0, 2_000),
      outlook === "for good",
      ATTEMPT_LIMIT,
      FIRST_PAUSE_SECONDS,
      LONGEST_PAUSE_SECONDS,
    ],
  );
}

/** Milliseconds until the next notification is due; null where none waits. */
export async function nextNotificationInMs(sql: Sql): Promise<number | null> {
  const result = await sql.query<{ ms: number | null }>(
    `select extract(epoch from min(next_at) - now())::float8 * 1000 as ms from notification where state = 'pending'`,
  );
  return result.rows[0]?.ms ?? null;
}

/** Removes notifications that were sent long ago. */
export async function forgetSent(sql: Sql): Promise<void> {
  await sql.query("delete from notification where state = 'sent' and ended_at < now() - make_interval(days => $1)", [
    KEPT_DAYS,
  ]);
}

/** Lists notifications, newest first. */
export async function listNotifications(
  sql: Sql,
  wanted: { readonly state?: NotificationState | undefined; readonly dagId?: string | undefined },
  slice: Pick<Slice, "limit" | "offset">,
): Promise<Page<NotificationRow>> {
  const filter = new Filter().add("state = $", wanted.state).add("dag_id = $", wanted.dagId);
  const counted = await sql.query<{ n: number }>(
    `select count(*)::integer as n from notification ${filter.sql}`,
    filter.values,
  );
  const limit = `limit ${filter.bind(slice.limit)} offset ${filter.bind(slice.offset)}`;
  const found = await sql.query<NotificationRow>(
    `select id::text, event, channel, dag_id, service_id, state, attempts, case state when 'pending' then next_at end as next_at, error, created_at,
       ended_at, payload from notification ${filter.sql} order by id desc ${limit}`,
    filter.values,
  );
  return { rows: found.rows, total: counted.rows[0]?.n ?? 0 };
}

/** Lets notifications be sent (again), with all attempts before them; absent `ids` = every one that was given up. Throws NOT_FOUND. */
export async function retryNotifications(database: Database, ids?: readonly number[]): Promise<number> {
  return database.transaction(async (sql) => {
    const done = await sql.query(
      `update notification set state = 'pending', attempts = 0, next_at = now(), lease = null, ended_at = null
       where case when $1::bigint[] is null then state = 'dead' else id = any ($1) end`,
      [ids ?? null],
    );
    const n = done.rowCount ?? 0;
    if (ids !== undefined && n < ids.length) throw new QflowError("NOT_FOUND", "there is no notification of that id");
    await wakeWith(sql, "qflow_scheduler");
    return n;
  });
}
