/** Notifications over HTTP: JSON with a signature, or the shape that Slack takes. */
import { createHmac } from "node:crypto";
import type { Connection } from "../dag/operator.ts";
import { messageOf, QflowError } from "../errors.ts";
import type { Message } from "./channel.ts";

/** Options of a connection that are not part of the address. */
const OWN_OPTIONS = new Set(["scheme", "secret"]);
/** Statuses below 500 after which it may work later. */
const PASSING = new Set([408, 425, 429]);

/**
 * POSTs the payload with `id`, `subject` and `link`. With the option `secret` (or a password without a user) the body is signed:
 * `X-Qflow-Signature: t=<seconds>,v1=<hex of HMAC-SHA256 over "<t>.<body>">`.
 */
export async function sendWebhook(message: Message, connection: Connection, signal: AbortSignal): Promise<void> {
  const { id, payload, subject, link } = message;
  const body = JSON.stringify({ id, subject, link, ...payload });
  const secret = connection.options.secret ?? (connection.user === "" ? connection.password : "");
  const headers: Record<string, string> = {
    "x-qflow-event": payload.event,
    "x-qflow-delivery": String(id),
    ...(secret === "" ? {} : { "x-qflow-signature": signatureOf(body, secret, Math.floor(Date.now() / 1000)) }),
    ...(connection.user === "" ? {} : { authorization: basic(connection) }),
  };
  await post(addressOf(connection, connection.kind), { body, headers, signal });
}

/** The value of the signature header; `at` in seconds since 1970. */
export function signatureOf(body: string, secret: string, at: number): string {
  return `t=${at},v1=${createHmac("sha256", secret).update(`${at}.${body}`).digest("hex")}`;
}

/** POSTs what Slack's incoming webhooks take. The password, where there is one, is the end of the address, as it is secret. */
export async function sendSlack(message: Message, connection: Connection, signal: AbortSignal): Promise<void> {
  const title = message.link === null ? escaped(message.subject) : `<${message.link}|${escaped(message.subject)}>`;
  const body = JSON.stringify({
    text: message.subject,
    blocks: [
      { type: "section", text: { type: "mrkdwn", text: `*${title}*` } },
      { type: "section", text: { type: "mrkdwn", text: escaped(message.lines.join("\n")).slice(0, 2_900) || " " } },
    ],
  });
  const address = addressOf(connection, connection.options.scheme ?? "https");
  if (connection.password) address.pathname = `${address.pathname.replace(/\/$/, "")}/${connection.password}`;
  await post(address, { body, headers: {}, signal });
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function basic({ user, password }: Connection): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

function addressOf({ id, host, port, path, options }: Connection, scheme: string): URL {
  const name = host.includes(":") ? `[${host}]` : host;
  const text = `${scheme}://${name}${port > 0 ? `:${port}` : ""}`;
  if (!URL.canParse(text)) {
    throw new QflowError("NOTIFICATION_REFUSED", `connection ${id} has no host that can be called`);
  }
  const address = new URL(text);
  address.pathname = path;
  for (const [option, value] of Object.entries(options)) {
    if (!OWN_OPTIONS.has(option)) address.searchParams.set(option, value);
  }
  return address;
}

interface Post {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

async function post(address: URL, { body, headers, signal }: Post): Promise<void> {
  const init = { method: "POST", body, signal, redirect: "manual" as const };
  const response = await fetch(address, { ...init, headers: { "content-type": "application/json", ...headers } }).catch(
    (error: unknown) => {
      const { cause } = error as { cause?: unknown };
      // Neither path nor query: they may hold secrets.
      const words = `${address.host} cannot be reached: ${messageOf(cause ?? error)}`;
      throw new QflowError("NOTIFICATION_FAILED", words, { cause: error });
    },
  );
  await response.body?.cancel().catch(() => {});
  if (response.ok) return;
  const code = response.status >= 500 || PASSING.has(response.status) ? "NOTIFICATION_FAILED" : "NOTIFICATION_REFUSED";
  throw new QflowError(code, `${address.host} answered ${response.status}`);
}
