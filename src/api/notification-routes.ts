/** The outbox of notifications. */
import { z } from "zod";
import { listNotifications, NOTIFICATION_STATES, retryNotifications } from "../metadata/notifications.ts";
import { notificationCollection, retryAnswer, retryBody } from "./contract.ts";
import { route } from "./route.ts";

const list = route({
  method: "get",
  path: "/api/notifications",
  guard: "viewer",
  summary: "Notifications that are to be sent, were sent or were given up, newest first.",
  query: z.object({
    state: z.enum(NOTIFICATION_STATES).optional(),
    dag_id: z.string().optional(),
    limit: z.coerce.number().int().min(0).max(1_000).default(100),
    offset: z.coerce.number().int().min(0).default(0),
  }),
  response: notificationCollection,
  handle: async ({ api, query }) => {
    const wanted = { state: query.state, dagId: query.dag_id };
    const page = await listNotifications(api.database, wanted, query);
    return { notifications: page.rows, total_entries: page.total };
  },
});

const retry = route({
  method: "post",
  path: "/api/notifications/retry",
  guard: "user",
  summary: "Lets notifications be sent again: those named, or all that were given up.",
  body: retryBody,
  response: retryAnswer,
  handle: async ({ body, mutate }) => {
    const entry = { action: "notifications.retry", details: { ...body } };
    return { retried: await mutate(entry, (db) => retryNotifications(db, body.ids)) };
  },
});

/** Notifications. */
export const notificationRoutes = [list, retry];
