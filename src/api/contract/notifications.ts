/** `/api/notifications…`: the outbox. */
import { z } from "zod";
import { SERVICE_EVENTS } from "../../dag/service-spec.ts";
import { NOTIFY_EVENTS } from "../../dag/spec.ts";
import { NOTIFICATION_STATES } from "../../metadata/notifications.ts";
import { instant, json } from "./shared.ts";

const notification = z
  .object({
    id: z.string(),
    event: z.enum([...NOTIFY_EVENTS, ...SERVICE_EVENTS]),
    /** Id of the connection it goes to. */
    channel: z.string(),
    dag_id: z.string().nullable(),
    service_id: z.string().nullable(),
    state: z.enum(NOTIFICATION_STATES),
    attempts: z.number(),
    /** When the next attempt is due; null where none is. */
    next_at: instant.nullable(),
    /** What the last attempt said. */
    error: z.string().nullable(),
    created_at: instant,
    ended_at: instant.nullable(),
    payload: z.record(z.string(), json),
  })
  .meta({ id: "Notification" });

/** `GET /api/notifications?state=&dag_id=&limit=&offset=`, newest first. */
export const notificationCollection = z
  .object({ notifications: z.array(notification), total_entries: z.number() })
  .meta({ id: "NotificationCollection" });

/** `POST /api/notifications/retry`: these, or (absent) all that were given up. */
export const retryBody = z
  .strictObject({ ids: z.array(z.number().int()).min(1).max(10_000).optional() })
  .meta({ id: "RetryNotifications" });

/** How many are sent again. */
export const retryAnswer = z.object({ retried: z.number() }).meta({ id: "RetriedNotifications" });
