/** Notifications by e-mail, over SMTP. */
import { createTransport } from "nodemailer";
import type { Connection } from "../dag/operator.ts";
import { messageOf, QflowError } from "../errors.ts";
import type { Message } from "./channel.ts";

const TIMEOUT_MS = 20_000;

/**
 * Sends to the addresses of the option `to` (separated by commas), from the option `from`. Kind `smtps` speaks TLS from the start;
 * otherwise the option `tls` says `required` (the default where there is a user), `optional` or `none`.
 */
export async function sendEmail(message: Message, connection: Connection, signal: AbortSignal): Promise<void> {
  const { to, from = `qflow@${connection.host}` } = connection.options;
  if (!to) {
    throw new QflowError("NOTIFICATION_REFUSED", `connection ${connection.id} says nobody to write to`, {
      remedy: "Give it the option `to`: smtp://host:25/?to=team@example.org",
    });
  }
  const transport = createTransport(settingsOf(connection));
  const stop = () => transport.close();
  signal.addEventListener("abort", stop);
  try {
    await transport.sendMail({
      from,
      to,
      subject: `[qflow] ${message.subject}`,
      text: [...message.lines, ...(message.link === null ? [] : ["", message.link])].join("\n"),
      messageId: `<qflow-notification-${message.id}@${connection.host}>`,
      headers: { "X-Qflow-Event": message.payload.event },
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  } catch (error) {
    throw refusal(error);
  } finally {
    signal.removeEventListener("abort", stop);
    transport.close();
  }
}

function settingsOf({ kind, host, port, user, password, options }: Connection) {
  const tls = options.tls ?? (user ? "required" : "optional");
  return {
    host,
    ...(port > 0 ? { port } : {}),
    secure: kind === "smtps",
    requireTLS: tls === "required" && kind !== "smtps",
    ignoreTLS: tls === "none",
    ...(user ? { auth: { user, pass: password } } : {}),
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
  };
}

/** 5xx answers stay what they are; everything else may pass. */
function refusal(error: unknown): QflowError {
  const { responseCode } = error as { responseCode?: number };
  const code = responseCode !== undefined && responseCode >= 500 ? "NOTIFICATION_REFUSED" : "NOTIFICATION_FAILED";
  return new QflowError(code, `the mail server did not take it: ${messageOf(error)}`, { cause: error });
}
