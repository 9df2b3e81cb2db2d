/** Sends one notification over the channel that its connection is. */
import type { Connection } from "../dag/operator.ts";
import { QflowError } from "../errors.ts";
import type { DueNotification } from "../metadata/notifications.ts";
import { type NotificationText, textOf } from "./text.ts";
import { sendSlack, sendWebhook } from "./webhook.ts";

/** What a channel gets. */
export interface Message extends NotificationText {
  /** The same for every attempt, so that a receiver knows one it has had. */
  readonly id: number;
  readonly payload: DueNotification["payload"];
}

/** Sends; resolves when the other side has taken it. */
type Channel = (message: Message, connection: Connection, signal: AbortSignal) => Promise<void>;

/** What speaks SMTP is large, and many an installation writes no e-mail. */
const sendEmail: Channel = async (...args) => (await import("./email.ts")).sendEmail(...args);

const CHANNELS: Readonly<Record<string, Channel>> = {
  http: sendWebhook,
  https: sendWebhook,
  smtp: sendEmail,
  smtps: sendEmail,
  email: sendEmail,
  slack: sendSlack,
  slackwebhook: sendSlack,
};

/**
 * Sends a notification; `baseUrl` = where the web client is. Throws NOTIFICATION_REFUSED (no use to try again) or
 * NOTIFICATION_FAILED.
 */
export async function send(
  due: Pick<DueNotification, "id" | "payload">,
  connection: Connection,
  context: { readonly baseUrl: string | null; readonly signal: AbortSignal },
): Promise<void> {
  const channel = Object.hasOwn(CHANNELS, connection.kind) ? CHANNELS[connection.kind] : undefined;
  if (!channel) {
    throw new QflowError("NOTIFICATION_REFUSED", `connection ${connection.id} is of kind ${connection.kind}`, {
      remedy: `Use a connection of one of the kinds ${Object.keys(CHANNELS).join(", ")}.`,
    });
  }
  const message = { id: due.id, payload: due.payload, ...textOf(due.payload, context.baseUrl) };
  await channel(message, connection, context.signal);
}
